#!/bin/busybox sh
# The first process of the guest: mounts what a node of a cluster has, runs the job on the second disk, and turns the
# machine off. Only its last line, with the word that the host gave on the command line, says how the job ended: a panic
# ends QEMU with exit code 0 as well.
export PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 NO_COLOR=1 CI=1 TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp && chmod 1777 /tmp
mount -t tmpfs run /run
mount -t securityfs security /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rprivate /
ip link set lo up
hostname guest
# Which disk is which depends on who was found first; that of the root has a partition.
for disk in /dev/nvme0n1 /dev/nvme0n2; do
	[ -e ${disk}p1 ] || mount -t ext4 -o rw $disk /w
done
stty -F /dev/ttyS1 raw -echo
cd /w
sh /w/.guest/job.sh
code=$?
cd /
sync
umount /w || mount -o remount,ro /w
mount -o remount,ro /
echo "GUEST-ENDED $code $GUEST_NONCE"
poweroff -f
