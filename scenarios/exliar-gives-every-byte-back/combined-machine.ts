import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { efiVariableFile } from '../../apps/exliar-vfio/host/src/fixtures/efi.ts'
import { materialise } from '../../apps/exliar-vfio/host/src/fixtures/materialise.ts'
import { sampleTree, type sampleTrees } from '../../apps/exliar-vfio/host/src/fixtures/sample-tree.ts'

interface Part {
  readonly from: (typeof sampleTrees)[number]
  readonly paths: readonly string[]
}

const boot = ['boot', 'proc/cmdline', 'sys/firmware']

/** What makes a machine start by a bootloader, and the sample it is taken from. */
const bootloaders = {
  grub: {
    from: 'two-identical-nvidia-grub-initramfs-tools',
    paths: [...boot, 'etc/default/grub', 'usr/sbin/grub-mkconfig', 'usr/sbin/update-grub'],
  },
  'grub-with-entries': {
    from: 'fedora-grub-dracut-sriov',
    paths: [
      ...boot,
      'etc/default/grub',
      'etc/grub2.cfg',
      'etc/grub2-efi.cfg',
      'etc/kernel',
      'etc/machine-id',
      'usr/bin/grubby',
      'usr/bin/grub2-mkconfig',
    ],
  },
  'systemd-boot': { from: 'amd-systemd-boot-mkinitcpio', paths: [...boot, 'usr/bin/bootctl'] },
  kernelstub: {
    from: 'popos-kernelstub',
    paths: [...boot, 'etc/default/grub', 'etc/kernelstub', 'usr/bin/kernelstub', 'usr/bin/bootctl'],
  },
  limine: { from: 'limine-booster', paths: [...boot, 'etc/default/limine', 'usr/bin/limine'] },
  uki: { from: 'amd-systemd-boot-mkinitcpio', paths: ['proc/cmdline'] },
} as const satisfies Readonly<Record<string, Part>>

const initramfsSystems = {
  'initramfs-tools': {
    from: 'two-identical-nvidia-grub-initramfs-tools',
    paths: ['etc/initramfs-tools', 'usr/sbin/update-initramfs', 'usr/bin/lsinitramfs'],
  },
  mkinitcpio: {
    from: 'amd-systemd-boot-mkinitcpio',
    paths: ['etc/mkinitcpio.conf', 'etc/mkinitcpio.d', 'usr/bin/mkinitcpio', 'usr/share/libalpm'],
  },
  dracut: {
    from: 'fedora-grub-dracut-sriov',
    paths: ['etc/dracut.conf', 'etc/dracut.conf.d', 'usr/bin/dracut', 'usr/lib/dracut'],
  },
  booster: {
    from: 'limine-booster',
    paths: ['etc/booster.yaml', 'usr/bin/booster', 'usr/lib/booster', 'usr/share/libalpm', 'boot/booster-linux-cachyos.img'],
  },
} as const satisfies Readonly<Record<string, Part>>

/** How a machine starts, and what makes its initial file system. */
export interface Combination {
  readonly bootloader: keyof typeof bootloaders
  readonly initramfs: keyof typeof initramfsSystems
}

/** Every bootloader with every system for the initial file system. */
export const combinations: readonly Combination[] = Object.keys(bootloaders).flatMap((bootloader) =>
  Object.keys(initramfsSystems).map((initramfs) => ({ bootloader, initramfs }) as Combination),
)

/** Turns a copy of the machine with two identical cards into one that starts so. */
export function combine(root: string, { bootloader, initramfs }: Combination): void {
  const own = [...bootloaders.grub.paths, ...initramfsSystems['initramfs-tools'].paths]
  for (const path of own) rmSync(join(root, path), { recursive: true, force: true })
  for (const { from, paths } of [bootloaders[bootloader], initramfsSystems[initramfs]]) {
    for (const path of paths) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      const source = join(sampleTree(from), path)
      if (existsSync(source)) cpSync(source, join(root, path), { recursive: true, verbatimSymlinks: true })
    }
  }
  if (bootloader === 'uki') {
    materialise(root, {
      'etc/kernel/cmdline': 'root=UUID=1 console=tty0 console=ttyS0 quiet\n',
      'boot/EFI/Linux/linux.efi': 'an image',
      ...efiVariableFile('StubInfo', 'loader', 'systemd-stub 257'),
    })
  }
}
