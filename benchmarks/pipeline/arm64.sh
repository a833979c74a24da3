#!/bin/sh
# Are results on an ARM processor, emulated by QEMU, within the intervals of those that this machine computes?
#
#   sh benchmarks/pipeline/arm64.sh FOLDER [DOMAIN ...]
#
# Runs the `tiny` preset of each domain (all six: an hour and a half) here and there, and ends as `elsewhere.py` does.
# FOLDER takes 8 GiB and is used again; keep it off /tmp. As root, on Debian with debootstrap and qemu-user-static.
set -eu
root=$(git rev-parse --show-toplevel)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
domains=${*:-articles climb documents playlists retina sessions}
arm=$folder/debian
here=$folder/here
there=$arm/checkout
export PATH="$root/.venv/bin:$PATH"

if [ ! -e "$folder/made" ]; then
    debootstrap --arch=arm64 --foreign --variant=minbase --include=python3,git,libgomp1,libsqlite3-0 bookworm "$arm"
    for package in "$arm"/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$arm"; done
    cp /etc/passwd /etc/group "$arm/etc/"
    uv pip install --target "$arm/opt/site" --python-version 3.11 --python-platform aarch64-unknown-linux-gnu \
        --require-hashes -r "$root/requirements.lock"
    mkdir -p "$arm/opt/bin"
    ln -sf /usr/bin/python3.11 "$arm/opt/bin/python"
    printf '#!/bin/sh\nexec python -m dvc "$@"\n' > "$arm/opt/bin/dvc"
    chmod +x "$arm/opt/bin/dvc"
    # all that PyTorch reads of /sys; this machine's would tell of x86 processors, and end in a crash
    mkdir -p "$arm/sys/devices/system/cpu"
    for list in possible present; do echo 0-1 > "$arm/sys/devices/system/cpu/$list"; done
    touch "$folder/made"
fi

binfmt=/proc/sys/fs/binfmt_misc
mountpoint -q $binfmt || mount -t binfmt_misc binfmt_misc $binfmt
if [ ! -e $binfmt/qemu-aarch64 ]; then # F: the emulator is opened now, as it is not in the folder
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s' ":qemu-aarch64:M::$magic:$mask:/usr/bin/qemu-aarch64-static:FOC" > $binfmt/register
fi
trap 'umount "$arm/proc" "$arm/dev"' EXIT
mount -t proc proc "$arm/proc"
mount --bind /dev "$arm/dev"

rm -rf "$here" "$there"
git clone -q "$root" "$here"
cd "$here"
export PYTHONPATH="$here/src"
for domain in $domains; do winnow preset "$domain" tiny --apply; done
winnow run $domains
git -c user.name=here -c user.email=here@localhost commit -qam "tiny presets, run on $(uname -m)"

git clone -q "$here" "$there"
chroot "$arm" env -i HOME=/root LC_ALL=C.UTF-8 PATH=/opt/bin:/usr/bin:/bin PYTHONPATH=/checkout/src:/opt/site sh -c "
    cd /checkout
    python -c 'from winnow.cli.app import main; main()' run --jobs 1 $domains"
cd "$there"
git diff --stat -- 'metrics/*/ingest.json' 'metrics/*/filter.json' 'metrics/*/label.json' 'metrics/*/split.json'
PYTHONPATH="$there/src:$there" python -m benchmarks.pipeline.elsewhere
