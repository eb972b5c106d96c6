# A systemd of its own, as the first process of namespaces of its own: sh booted.sh SOURCE VENV WORK
# What it writes to these folders is gone with it. tests/booted.py starts it.
set -e
source=$1 venv=$2 work=$3
mount --make-rprivate /
# Its control groups are below the one that it was started in.
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
for folder in /etc /usr/bin /usr/local/bin /srv /var /opt; do
    over=/run/over$folder
    mkdir -p "$over/upper" "$over/work"
    mount -t overlay overlay -o "lowerdir=$folder,upperdir=$over/upper,workdir=$over/work" "$folder"
done
ip link set lo up

# The user mirrorlist may not look into the folder of this checkout.
mkdir -p /opt/source /opt/venv /run/units /run/work /etc/mirrorlist
mount --bind "$source" /opt/source
mount --bind "$venv" /opt/venv
mount --bind "$work" /run/work
for user in mirrorlist:4410 mirror:4411; do
    name=${user%:*} id=${user#*:}
    grep -q "^$name:" /etc/passwd && continue
    echo "$name:x:$id:$id::/var/lib/mirrorlist:/usr/sbin/nologin" >>/etc/passwd
    echo "$name:x:$id:" >>/etc/group
done
cat >/usr/bin/mirrorlist <<END
#!/bin/sh
PYTHONPATH=/opt/source PYTHONDONTWRITEBYTECODE=1 exec /opt/venv/bin/python -m mirrorlist.cli "\$@"
END
chmod 755 /usr/bin/mirrorlist
cp "$source/contrib/mirror-sync/mirror-sync" /usr/local/bin/
cp "$source"/contrib/*/*.service /run/units
for unit in /run/units/*.service; do
    mkdir "$unit.d"
    printf '[Service]\nStandardOutput=append:/run/said\nStandardError=append:/run/said\n' \
        >"$unit.d/output.conf"
done
for name in basic default multi-user network-online shutdown sysinit; do
    printf '[Unit]\nDescription=%s\n' "$name" >"/run/units/$name.target"
done

export container=other SYSTEMD_UNIT_PATH=/run/units SYSTEMD_GENERATOR_PATH=/nonexistent
exec /lib/systemd/systemd --system --unit=default.target --log-target=null --show-status=0
