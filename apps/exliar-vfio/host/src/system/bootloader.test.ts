import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { bringScript } from '../fixtures/bring-program.ts'
import { efiVariableFile } from '../fixtures/efi.ts'
import { madeTree, type TreeDescription } from '../fixtures/materialise.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { bootloader } from './bootloader.ts'

const grub = { '/etc/default/grub': '', '/boot/grub/grub.cfg': '' }
const systemdBoot = { '/boot/loader/loader.conf': '' }
const kernelstub = { '/etc/kernelstub/configuration': '{}' }
const limine = { '/boot/limine.conf': '' }
const everything = { ...grub, ...systemdBoot, ...limine }

function said(by: string): TreeDescription {
  return efiVariableFile('LoaderInfo', 'loader', by)
}

async function found(t: TestContext, ...descriptions: readonly TreeDescription[]): Promise<string> {
  return bootloader(MachineTree.open(await madeTree(t, ...descriptions))).value
}

test('what the bootloader said itself comes before every file that is left', async (t) => {
  assert.equal(await found(t, everything, said('systemd-boot 257')), 'systemd-boot')
  assert.equal(await found(t, everything, said('GRUB 2.12')), 'grub')
  assert.equal(await found(t, everything, said('Limine 9.3.0')), 'limine')
  assert.equal(await found(t, everything, said('rEFInd 0.14')), 'other')
  assert.equal(await found(t, everything, said('systemd-stub 256')), 'uki')
})

test('an image that brought its own start has the line inside, whoever started it', async (t) => {
  assert.equal(
    await found(t, everything, said('systemd-boot 257'), efiVariableFile('StubInfo', 'loader', 'systemd-stub 257')),
    'uki',
  )
})

test('entries of systemd-boot are kernelstub’s where that is installed', async (t) => {
  const root = await madeTree(t, kernelstub, systemdBoot, grub, said('systemd-boot 249'))
  assert.equal(bootloader(MachineTree.open(root)).value, 'systemd-boot')
  bringScript(root, 'usr/bin/kernelstub', 'true')
  assert.deepEqual(bootloader(MachineTree.open(root)), { value: 'kernelstub', evidence: '/etc/kernelstub/configuration' })
})

test('the firmware names the file it started', async (t) => {
  const started = (file: string) => [
    efiVariableFile('BootCurrent', 'firmware', [0x1a, 0]),
    efiVariableFile('Boot001A', 'firmware', file),
  ]
  assert.equal(await found(t, everything, ...started('Linux Boot Manager\0\\EFI\\systemd\\systemd-bootx64.efi')), 'systemd-boot')
  assert.equal(await found(t, everything, ...started('debian\0\\EFI\\debian\\shimx64.efi')), 'grub')
  assert.equal(await found(t, everything, ...started('Limine\0\\EFI\\limine\\limine_x64.efi')), 'limine')
  assert.equal(await found(t, everything, ...started('Arch\0\\EFI\\Linux\\arch-linux.efi')), 'uki')
  assert.equal(await found(t, grub, ...started('UEFI OS\0\\EFI\\BOOT\\BOOTX64.EFI')), 'grub')
})

test('GRUB shows on the command line, but only where its files are', async (t) => {
  const line = { '/proc/cmdline': 'BOOT_IMAGE=/vmlinuz root=/dev/sda1\n' }
  assert.equal(await found(t, everything, line), 'grub')
  assert.equal(await found(t, limine, line), 'limine')
})

test('without any other sign the installed files are believed', async (t) => {
  assert.equal(await found(t, grub), 'grub')
  assert.equal(await found(t, { '/etc/default/grub': '', '/boot/grub2/grub.cfg': '' }), 'grub')
  assert.equal(await found(t, grub, systemdBoot), 'systemd-boot')
  assert.equal(await found(t, { '/efi/EFI/Linux/arch-linux.efi': '' }), 'uki')
  assert.equal(await found(t, { '/boot/EFI/BOOT/limine.conf': '' }), 'limine')
  assert.equal(await found(t, { '/etc/default/grub': '' }), 'unknown')
})

test('entries of the boot loader specification alone are not systemd-boot’s: GRUB reads them too', async (t) => {
  assert.equal(await found(t, { '/etc/default/grub': '', '/boot/grub2/grub.cfg': '', '/boot/loader/entries/a.conf': '' }), 'grub')
})
