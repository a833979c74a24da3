"""The template of the board: HTML that needs no script, and loads nothing."""

STYLE = """\
:root { color-scheme: light dark; --text: #1c1e21; --back: #fff; --soft: #f4f5f7; --line: #c9ced6; --dim: #565d67;
  --link: #0b57b0 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e7e9ec; --back: #14171b; --soft: #20252b; --line: #49525d; --dim: #aab2bd; --link: #8ab8ff }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text);
  background: var(--back); overflow-wrap: break-word }
a { color: var(--link) }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 3px solid var(--link); outline-offset: 2px }
.skip { position: absolute; left: -99rem }
.skip:focus { position: static }
h1 { margin: 0 }
h2 { margin: 2.5rem 0 .5rem; border-top: 2px solid var(--line); padding-top: 1rem }
h3 { margin: 2rem 0 .5rem }
h4 { margin: 0 0 .3rem; font-size: 1rem }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; list-style: none }
.word { display: inline-block; padding: 0 .55em; border-radius: .3em; font-weight: 600; color: #fff;
  background: #1b6b3a }
.word.unsure { background: #7d4e00 }
.word.bad { background: #a81e2b }
.say { font-size: 1.15rem; margin: .4rem 0 }
.scroll { overflow-x: auto; max-width: 100% }
table { border-collapse: collapse; margin: .4rem 0 1rem; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--dim); padding-bottom: .3rem }
th, td, li { unicode-bidi: isolate }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line) }
thead th { border-bottom: 2px solid var(--line) }
tbody th { font-weight: 500 }
td.case { color: var(--dim); font-size: .9rem; min-width: 14rem }
summary { cursor: pointer; color: var(--link); padding: .2rem 0 }
figure { margin: 0 0 1.5rem }
figcaption { color: var(--dim); max-width: 46rem }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px }
.charts { display: flex; flex-wrap: wrap; gap: 1rem 2rem }
.charts figure { max-width: 100% }
.metrics td { white-space: nowrap }
.cards { display: grid; gap: 1rem; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)) }
.cards > li { background: var(--soft); border-radius: .5rem; padding: .8rem; min-width: 0 }
.pair { display: flex; gap: 2%; align-items: start }
.pair img { width: 49% }
.pair img:only-child { width: 100%; max-width: 20rem }
.cards p { margin: .2rem 0; unicode-bidi: isolate }
.cards table { margin: .4rem 0 0; font-size: .9rem; width: 100% }
.cards th, .cards td { padding-right: .4rem; overflow-wrap: anywhere }
.cards th, .cards td:nth-child(3), .cards td:last-child { white-space: nowrap }
@media (max-width: 40rem) { .charts img { max-width: none; width: 36rem } }
"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
{{ style }}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the results</a>
<header>
<h1>{{ title }}</h1>
{% if names|length > 1 %}
<nav aria-label="Domains"><ul>
{% for name in names %}<li><a href="#{{ name }}">{{ name }}</a></li>
{% endfor %}
</ul></nav>
{% endif %}
</header>
<main id="content">
{% for note in notes %}<p><strong>{{ note }}</strong></p>
{% endfor %}
{% if rows %}
<div class="scroll" tabindex="0" role="region" aria-label="Results of all domains"><table>
<caption>All domains</caption>
<thead><tr>{% for cell in rows[0] %}<th scope="col">{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows[1:] %}
<tr><th scope="row"><a href="#{{ row[0] }}">{{ row[0] }}</a></th>{% for cell in row[1:] %}<td>{{ cell }}</td>
{%- endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endif %}
{% for article in articles %}
{{ article }}
{% endfor %}
</main>
</body>
</html>
"""

ARTICLE = """\
{% macro table(label, head, rows, kind="") %}
<div class="scroll {{ kind }}" tabindex="0" role="region" aria-label="{{ domain }}: {{ label }}"><table>
<caption>{{ label }}</caption>
<thead><tr>{% for cell in head %}<th scope="col">{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr><th scope="row">{{ row[0] }}</th>{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}
{% macro charts(pictures) %}
<div class="charts">
{% for each in pictures %}
<figure><div class="scroll" tabindex="0" role="region" aria-label="{{ domain }}: picture {{ each.name }}">
<img src="{{ each.data }}" width="{{ each.width }}" height="{{ each.height }}" alt="{{ each.alt }}"></div>
<figcaption>{{ each.caption|code }}</figcaption></figure>
{% endfor %}
</div>
{% endmacro %}
<article id="{{ domain }}" aria-labelledby="{{ domain }}-title" data-judgement="{{ digest }}">
<h2 id="{{ domain }}-title">{{ domain }} <span class="word {{ tone.get(verdict, "") }}">{{ verdict }}</span></h2>
<p class="say">{{ sentence|code }}.</p>
{% for note in notes %}<p>{{ note }}</p>
{% endfor %}
<p>Measured on {{ measured }}.</p>
<h3>Metrics</h3>
<div class="scroll metrics" tabindex="0" role="region" aria-label="{{ domain }}: metrics"><table>
<caption>What the verdict depends on; in brackets the 95% interval</caption>
<thead><tr><th scope="col">metric</th><th scope="col">value and interval</th><th scope="col">target</th>
<th scope="col">strongest baseline</th><th scope="col">ok</th></tr></thead>
<tbody>
{% for each in conditions %}
<tr><th scope="row">{{ each.metric }}</th><td>{{ each.value }}</td><td>{{ each.target|code }}</td>
<td>{{ each.baseline }}</td><td><span class="word {{ tone.get(each.word, "") }}">{{ each.word }}</span></td></tr>
{% endfor %}
</tbody></table></div>
<details><summary>Reasons of the verdict</summary><ul>
{% for reason in reasons %}<li>{{ reason|code }}</li>
{% endfor %}
</ul></details>
<details><summary>All metrics of the model</summary>
{{ table("All metrics of the model", ["metric", "value and interval", "strongest baseline"], others, "metrics") }}
</details>
{% if references.rows %}
<details><summary>Measured for comparison</summary>
{{ table("Measured for comparison; the verdict does not depend on it", references.head, references.rows, "metrics") }}
</details>
{% endif %}
<h3>Rows</h3>
{{ table("What each data stage kept and left out", ["stage", "rows in", "result"], stages) }}
{% for each in overlaps %}<p>{{ each|code }}</p>
{% endfor %}
{% if left_out %}
<details><summary>Rows that were left out, by reason</summary>
<div class="scroll" tabindex="0" role="region" aria-label="{{ domain }}: rows left out"><table>
<caption>Rows left out; <code>winnow rows {{ domain }} --json</code> gives them whole</caption>
<thead><tr><th scope="col">stage</th><th scope="col">reason</th><th scope="col">rows</th>
<th scope="col">first cases</th></tr></thead>
<tbody>
{% for each in left_out %}
<tr><th scope="row">{{ each.stage }}</th><td>{{ each.reason }}</td><td>{{ each.rows }}</td>
<td class="case">{% for case in each.first %}<div>{{ case }}</div>{% endfor %}</td></tr>
{% endfor %}
</tbody></table></div></details>
{% endif %}
<h3>Training</h3>
{{ charts(training) }}
<h3>Test</h3>
{{ charts(results) }}
{% if slices %}
<details><summary>Parts of the test rows</summary>
{% for each in slices %}{{ table("By " ~ each.by, each.head, each.rows) }}{% endfor %}
</details>
{% endif %}
{% if examples %}
<h3>Examples</h3>
<p>{{ about }}</p>
<ul class="cards">
{% for each in examples %}
<li><h4>{{ each.title }}</h4>
{% if each.pictures %}
<div class="pair">
{% for picture in each.pictures %}
<img src="{{ picture.data }}" width="{{ picture.width }}" height="{{ picture.height }}" alt="{{ picture.alt }}">
{% endfor %}
</div>
{% endif %}
{% for line in each.lines %}<p>{{ line }}</p>
{% endfor %}
{% if each.table %}
<table><caption>{{ each.table.caption }}</caption>
<thead><tr>{% for cell in each.table.head %}<th scope="col">{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in each.table.rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table>
{% endif %}
</li>
{% endfor %}
</ul>
{% endif %}
</article>
"""
