/**
 * The guest's root filesystem and kernel: stock Debian 13 with systemd, cgroup v2 and device mapper. Built once by
 * mmdebstrap, kept outside of the checkout, and rebuilt when what it is made of changes.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export const GUEST_CACHE = '/var/tmp/tsdocker-guest';
const AGENT = join(import.meta.dirname, 'agent.sh');
const SUITE = 'trixie';
const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'udev', 'dbus', 'kmod', 'linux-image-cloud-amd64', 'initramfs-tools'],
  ...['nodejs', 'libnftables1', 'libzstd1', 'nftables', 'iproute2', 'procps'],
  ...['e2fsprogs', 'xfsprogs', 'btrfs-progs', 'dmsetup', 'thin-provisioning-tools', 'busybox-static', 'util-linux'],
];
/** What the initrd needs to find the root disk. */
const INITRD_MODULES = ['virtio_pci', 'virtio_blk', 'virtio_console', 'ext4'];
const ROOT_SIZE = '3G';

const FILES: Readonly<Record<string, string>> = {
  '/etc/hostname': 'guest\n',
  '/etc/hosts': '127.0.0.1 localhost guest\n',
  '/etc/fstab': '/dev/vda / ext4 defaults 0 1\n/dev/vdb /opt/tsdocker ext4 defaults 0 2\n',
  '/etc/initramfs-tools/modules': `${INITRD_MODULES.join('\n')}\n`,
  '/etc/initramfs-tools/conf.d/tsdocker': 'MODULES=list\nCOMPRESS=zstd\n',
  '/etc/systemd/system/agent.service': `[Unit]
Description=Carries out the commands of tests
After=local-fs.target dbus.service

[Service]
ExecStart=/usr/local/sbin/agent
Restart=always
RestartSec=1
StandardOutput=journal+console

[Install]
WantedBy=multi-user.target
`,
};

export interface GuestImage {
  /** ext4, not to be written to. */
  readonly root: string;
  /** Uncompressed: the emulated CPU would take 10 s to unpack it. */
  readonly kernel: string;
  readonly initrd: string;
}

/** The guest's image, built first when there is none yet: about a minute. @throws Error with the last words of mmdebstrap. */
export function guestImage(): GuestImage {
  const recipe = JSON.stringify([SUITE, PACKAGES, FILES, ROOT_SIZE, readFileSync(AGENT, 'utf8')]);
  const directory = join(GUEST_CACHE, createHash('sha256').update(recipe).digest('hex').slice(0, 16));
  if (!existsSync(directory)) build(directory);
  return { root: join(directory, 'root'), kernel: join(directory, 'vmlinux'), initrd: join(directory, 'initrd') };
}

function build(directory: string): void {
  mkdirSync(GUEST_CACHE, { recursive: true, mode: 0o700 });
  const work = mkdtempSync(join(GUEST_CACHE, 'build-'));
  try {
    const tree = join(work, 'tree');
    const apt = join(work, 'apt.conf');
    // Proxies and leniencies that this host's apt needs, the guest's build needs too.
    writeFileSync(apt, run('apt-config', ['dump', 'Acquire']));
    run('mmdebstrap', [
      ...['--mode=root', '--variant=minbase', '--skip=cleanup/reproducible', `--include=${PACKAGES.join(',')}`],
      `--aptopt=${apt}`,
      ...Object.entries(files(work)).map(([path, from]) => `--essential-hook=install -D -m 644 '${from}' "$1${path}"`),
      `--customize-hook=install -m 755 '${AGENT}' "$1/usr/local/sbin/agent"`,
      '--customize-hook=mkdir -p "$1/opt/tsdocker"',
      '--customize-hook=systemctl --root="$1" enable agent.service',
      '--customize-hook=systemctl --root="$1" mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer',
      ...[SUITE, tree],
    ]);
    const result = join(work, 'result');
    mkdirSync(result);
    const boot = readdirSync(join(tree, 'boot'));
    const inBoot = (prefix: string): string =>
      join(tree, 'boot', boot.find((name) => name.startsWith(prefix)) ?? prefix);
    extractKernel(inBoot('vmlinuz-'), join(result, 'vmlinux'));
    renameSync(inBoot('initrd.img-'), join(result, 'initrd'));
    run('mke2fs', ['-q', '-t', 'ext4', '-d', tree, join(result, 'root'), ROOT_SIZE]);
    renameSync(result, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Writes the files of the guest beside each other; path in the guest → path here. */
function files(work: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(FILES).map(([path, text], index) => {
      const from = join(work, `file-${index}`);
      writeFileSync(from, text);
      return [path, from];
    }),
  );
}

/** Documentation/arch/x86/boot.rst: where a bzImage has its compressed kernel, whose last four bytes are its size. */
function extractKernel(bzImage: string, to: string): void {
  const image = readFileSync(bzImage);
  const start = ((image[0x1f1] ?? 0) + 1) * 512 + image.readUInt32LE(0x248);
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c) - 4);
  writeFileSync(to, execFileSync('zstd', ['-dcq'], { input: payload, maxBuffer: 256 * 1024 ** 2 }));
}

function run(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 256 * 1024 ** 2,
    });
  } catch (thrown) {
    const { stderr, message } = thrown as Error & { stderr?: string };
    throw new Error(`${program} failed: ${(stderr ?? '').trim().split('\n').slice(-15).join('\n') || message}`);
  }
}
