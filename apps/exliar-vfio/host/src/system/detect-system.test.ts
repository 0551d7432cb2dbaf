import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { SystemInfo } from '@exliar-vfio/points'
import { efiVariableFile } from '../fixtures/efi.ts'
import { madeTree, type TreeDescription } from '../fixtures/materialise.ts'
import { sampleTree, sampleTrees } from '../fixtures/sample-tree.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { detectFacts, detectSystem } from './detect-system.ts'

async function system(t: TestContext, ...descriptions: readonly TreeDescription[]) {
  return detectSystem(MachineTree.open(await madeTree(t, ...descriptions)))
}

test('each sample machine is what it says it is', () => {
  const found = sampleTrees.map((name) => detectSystem(MachineTree.open(sampleTree(name))))
  assert.deepEqual(
    found.map((info) => [info.distribution?.family, info.cpu_vendor, info.bootloader, info.initramfs_system, info.iommu.state]),
    [
      ['debian', 'intel', 'grub', 'initramfs-tools', 'on'],
      ['arch', 'amd', 'systemd-boot', 'mkinitcpio', 'on'],
      ['fedora', 'intel', 'grub', 'dracut', 'on'],
      ['debian', 'intel', 'kernelstub', 'initramfs-tools', 'off'],
      ['arch', 'amd', 'limine', 'booster', 'on'],
    ],
  )
  assert.deepEqual(
    found.map((info) => [info.init_system, info.virtualization_enabled, info.secure_boot_enabled]),
    [false, false, true, false, false].map((secure) => ['systemd', true, secure]),
  )
})

test('each fact names the file that says it', () => {
  const tree = MachineTree.open(sampleTree('amd-systemd-boot-mkinitcpio'))
  const facts = detectFacts(tree)
  for (const [name, { evidence }] of Object.entries(facts)) {
    assert.ok(evidence !== null && tree.has(evidence), `${name}: ${evidence}`)
  }
  assert.equal(facts.cpu_model.evidence, '/proc/cpuinfo')
  assert.match(facts.bootloader.evidence ?? '', /LoaderInfo/)
})

test('of an empty tree nothing is known, and nothing is guessed', async (t) => {
  assert.deepEqual(await system(t), {
    bootloader: 'unknown',
    kernel_version: null,
    kernel_parameters: [],
    cpu_vendor: 'other',
    cpu_model: 'unknown',
    virtualization_enabled: false,
    iommu: { state: 'unknown', groups: 0, reason: 'neither groups nor tables of the firmware are to be seen' },
    init_system: 'unknown',
    initramfs_system: 'unknown',
    secure_boot_enabled: null,
    distribution: null,
  })
})

test('os-release is read as a shell would, and a derivative belongs to the family it is like', async (t) => {
  const family = async (text: string) => (await system(t, { '/etc/os-release': text })).distribution
  assert.deepEqual(await family(`# of the maker\nNAME='Linux Mint'\nID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\n`), {
    name: 'Linux Mint',
    version: '22',
    id: 'linuxmint',
    family: 'debian',
  })
  assert.equal((await family('NAME="The \\"Best\\" OS"\nID=best\n'))?.name, 'The "Best" OS')
  assert.equal((await family('ID=best\n'))?.family, 'other')
  assert.equal((await family('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n'))?.family, 'suse')
  assert.equal((await family('ID=nobara\nID_LIKE="rhel centos fedora"\n'))?.family, 'fedora')
  assert.equal((await family('ID=gentoo\n'))?.family, 'gentoo')
  assert.equal((await family('ID=manjaro\nBUILD_ID=rolling\n'))?.version, 'rolling')
})

test('the running kernel comes before the installed ones, of which the newest is taken', async (t) => {
  const installed = {
    '/lib/modules/6.9.12-amd64/modules.dep': '',
    '/lib/modules/6.12.9-amd64/modules.dep': '',
    '/lib/modules/x/': '',
  }
  assert.equal((await system(t, installed)).kernel_version?.full_version, '6.12.9-amd64')
  const banner = { '/proc/version': 'Linux version 6.6.1-gentoo (root@box) (gcc 13)\n' }
  assert.equal((await system(t, installed, banner)).kernel_version?.full_version, '6.6.1-gentoo')
  const release = { '/proc/sys/kernel/osrelease': '7.0-rc1\n' }
  assert.deepEqual((await system(t, installed, banner, release)).kernel_version, {
    major: 7,
    minor: 0,
    patch: null,
    full_version: '7.0-rc1',
  })
})

test('parameters of the kernel keep their order, what is there twice, and blanks within quotation marks', async (t) => {
  const line = 'console=tty0 console=ttyS0  dyndbg="file drivers/usb/* +p" "a b"=c quiet\n'
  assert.deepEqual((await system(t, { '/proc/cmdline': line })).kernel_parameters, [
    'console=tty0',
    'console=ttyS0',
    'dyndbg="file drivers/usb/* +p"',
    '"a b"=c',
    'quiet',
  ])
})

test('virtualisation is what the flags of the processor say', async (t) => {
  const cpu = (vendor: string, flags: string) => ({
    '/proc/cpuinfo': `processor\t: 0\nvendor_id\t: ${vendor}\nmodel name\t: Test @ 1GHz\nflags\t\t: fpu ${flags} nx\nvmx flags\t: vnmi\n\nprocessor\t: 1\n`,
  })
  const amd = await system(t, cpu('AuthenticAMD', 'svm'))
  assert.deepEqual([amd.cpu_vendor, amd.cpu_model, amd.virtualization_enabled], ['amd', 'Test @ 1GHz', true])
  const locked = await system(t, cpu('GenuineIntel', 'vme'))
  assert.deepEqual([locked.cpu_vendor, locked.virtualization_enabled], ['intel', false])
  assert.equal((await system(t, cpu('CentaurHauls', 'vmx'))).cpu_vendor, 'other')
})

test('the first process tells the init system, otherwise what it left or is', async (t) => {
  const init = async (description: TreeDescription) => (await system(t, description)).init_system
  assert.equal(await init({ '/proc/1/comm': 'systemd\n', '/run/openrc/': '' }), 'systemd')
  assert.equal(await init({ '/proc/1/comm': 'init\n', '/run/openrc/': '', '/etc/inittab': '' }), 'openrc')
  assert.equal(await init({ '/proc/1/comm': 'openrc-init\n' }), 'openrc')
  assert.equal(await init({ '/proc/1/comm': 'init\n', '/etc/inittab': 'id:2:initdefault:\n' }), 'sysvinit')
  assert.equal(await init({ '/proc/1/comm': 'runit\n', '/etc/inittab': '' }), 'other')
  assert.equal(await init({ '/proc/1/comm': 'init\n' }), 'other')
  assert.equal(await init({ '/run/systemd/system/': '' }), 'systemd')
})

test('secure boot is the last byte of its variable, and unknown without one', async (t) => {
  const secure = async (value: readonly number[]) =>
    (await system(t, efiVariableFile('SecureBoot', 'firmware', value))).secure_boot_enabled
  assert.equal(await secure([1]), true)
  assert.equal(await secure([0]), false)
  assert.equal(await secure([]), null)
})

test('names that mean something to JavaScript alone are as unknown as any other, and so are numbers no kernel has', async (t) => {
  const info = await system(t, {
    '/etc/os-release': 'ID=constructor\nID_LIKE="__proto__ toString"\n',
    '/proc/1/comm': 'constructor\n',
    '/proc/cpuinfo': 'vendor_id\t: constructor\n\n',
    '/proc/sys/kernel/osrelease': '99999999999999999999.1\n',
  })
  assert.deepEqual(SystemInfo.parse(info), info)
  assert.deepEqual(
    [info.distribution?.family, info.init_system, info.cpu_vendor, info.kernel_version],
    ['other', 'other', 'other', null],
  )
})
