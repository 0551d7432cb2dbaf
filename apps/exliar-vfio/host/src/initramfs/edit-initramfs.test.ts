import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { InitramfsSystem } from '@exliar-vfio/points'
import { madeTree } from '../fixtures/materialise.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { editInitramfs, type InitramfsEdit } from './edit-initramfs.ts'

const modules = ['vfio_pci', 'vfio', 'vfio_iommu_type1']
const script = '/etc/exliar-vfio/override.sh'

async function edit(
  t: TestContext,
  system: InitramfsSystem,
  given: { readonly tree: Readonly<Record<string, string>>; readonly files?: readonly string[] },
): Promise<InitramfsEdit & { readonly texts: Readonly<Record<string, string>> }> {
  const tree = MachineTree.open(await madeTree(t, { 'etc/hostname': 'a' }, given.tree))
  const edited = editInitramfs(tree, system, { modules, files: given.files ?? [] })
  return { ...edited, texts: Object.fromEntries(edited.files.map(({ path, text }) => [path, text])) }
}

async function mkinitcpio(t: TestContext, text: string): Promise<string | undefined> {
  return (await edit(t, 'mkinitcpio', { tree: { 'etc/mkinitcpio.conf': text } })).texts['/etc/mkinitcpio.conf']
}

test('mkinitcpio: VFIO goes before the drivers of graphics adapters, and the rest of the file keeps every byte (E7)', async (t) => {
  const cases = [
    ['MODULES=()', 'MODULES=(vfio_pci vfio vfio_iommu_type1)'],
    ['MODULES=(nvidia nvidia_drm)', 'MODULES=(vfio_pci vfio vfio_iommu_type1 nvidia nvidia_drm)'],
    ['MODULES=(amdgpu vfio-pci btrfs)', 'MODULES=(vfio_pci vfio vfio_iommu_type1 amdgpu btrfs)'],
    ['MODULES=(\n  btrfs # disks\n  "i915"\n)', 'MODULES=(\n  vfio_pci vfio vfio_iommu_type1 btrfs # disks\n  "i915"\n)'],
    ['MODULES=""', 'MODULES="vfio_pci vfio vfio_iommu_type1"'],
    ['MODULES=', 'MODULES=(vfio_pci vfio vfio_iommu_type1)'],
  ] as const
  for (const [before, after] of cases) {
    assert.equal(await mkinitcpio(t, `# a\n${before}\nHOOKS=(base udev modconf)\n`), `# a\n${after}\nHOOKS=(base udev modconf)\n`)
  }
  assert.equal(await mkinitcpio(t, 'HOOKS=(base modconf)'), 'HOOKS=(base modconf)\nMODULES=(vfio_pci vfio vfio_iommu_type1)\n')
  assert.equal(await mkinitcpio(t, 'MODULES=(btrfs vfio_pci vfio vfio_iommu_type1 amdgpu)\n'), undefined)
})

test('mkinitcpio: the drop-in that has the last word is the one that is changed', async (t) => {
  const tree = { 'etc/mkinitcpio.conf': 'MODULES=(btrfs)\nFILES=()\n', 'etc/mkinitcpio.conf.d/gpu.conf': 'MODULES=(amdgpu)\n' }
  const { texts, notes } = await edit(t, 'mkinitcpio', { tree, files: [script] })
  assert.deepEqual(texts, {
    '/etc/mkinitcpio.conf': `MODULES=(btrfs)\nFILES=(${script})\n`,
    '/etc/mkinitcpio.conf.d/gpu.conf': 'MODULES=(vfio_pci vfio vfio_iommu_type1 amdgpu)\n',
  })
  assert.match(notes[0] ?? '', /modconf/)
  const adding = { ...tree, 'etc/mkinitcpio.conf.d/gpu.conf': 'MODULES+=(amdgpu)\n' }
  assert.deepEqual((await edit(t, 'mkinitcpio', { tree: adding })).texts, {
    '/etc/mkinitcpio.conf': 'MODULES=(vfio_pci vfio vfio_iommu_type1 btrfs)\nFILES=()\n',
  })
})

test('mkinitcpio: a list that is computed, text or not closed is refused with file and line', async (t) => {
  for (const text of ['MODULES=($(lsmod))', 'MODULES="a b"', 'MODULES=(a', 'if x; then\nMODULES=(a)\nfi']) {
    await assert.rejects(mkinitcpio(t, text), { code: 'CONFIG_UNCLEAR', message: /mkinitcpio\.conf, line \d/ }, text)
  }
  await assert.rejects(edit(t, 'mkinitcpio', { tree: {} }), { code: 'CONFIG_MISSING' })
})

test('mkinitcpio: what bash would make something else of is refused: text beside lists, and presets with other settings', async (t) => {
  for (const text of [
    'MODULES=(a)\nMODULES=""',
    'MODULES=\nMODULES+=(a)',
    'MODULES=([2]=a)',
    'MODULES=(a)\r\n',
    'MODULES=($MODULES a)',
  ]) {
    await assert.rejects(mkinitcpio(t, text), { code: 'CONFIG_UNCLEAR', message: /mkinitcpio\.conf, line \d/ }, text)
  }
  const preset = (config: string): Record<string, string> => ({
    'etc/mkinitcpio.conf': 'MODULES=()\n',
    'etc/mkinitcpio.d/linux.preset': `PRESETS=('default')\n${config}\n`,
  })
  const other = preset('default_config="/etc/mkinitcpio-custom.conf"')
  await assert.rejects(edit(t, 'mkinitcpio', { tree: other }), { code: 'CONFIG_UNCLEAR', message: /linux\.preset, line 2/ })
  for (const options of ['"-S autodetect -c /etc/other.conf"', "'--config=/etc/other.conf'"]) {
    const tree = preset(`fallback_options=${options}`)
    await assert.rejects(edit(t, 'mkinitcpio', { tree }), { code: 'CONFIG_UNCLEAR', message: /linux\.preset, line 2/ }, options)
  }
  assert.equal((await edit(t, 'mkinitcpio', { tree: preset('fallback_options="-S autodetect-c"') })).files.length, 1)
  const usual = preset('ALL_config="/etc/mkinitcpio.conf"')
  assert.equal((await edit(t, 'mkinitcpio', { tree: usual })).files.length, 1)
  const dropIn = { ...usual, 'etc/mkinitcpio.conf.d/a.conf': 'MODULES+=(b)\n' }
  await assert.rejects(edit(t, 'mkinitcpio', { tree: dropIn }), { code: 'CONFIG_UNCLEAR', message: /linux\.preset, line 2/ })
  const { texts } = await edit(t, 'mkinitcpio', { tree: { 'etc/mkinitcpio.conf': 'FILES=' }, files: [script] })
  assert.equal(texts['/etc/mkinitcpio.conf'], `FILES=(${script})\nMODULES=(${modules.join(' ')})\n`)
})

test('dracut gets a file of its own, and what was in it already is no change', async (t) => {
  const { texts } = await edit(t, 'dracut', { tree: {}, files: [script] })
  const text = texts['/etc/dracut.conf.d/exliar-vfio.conf'] ?? ''
  assert.match(text, /^force_drivers\+=" vfio_pci vfio vfio_iommu_type1 "$/m)
  assert.match(text, /^install_items\+=" \/etc\/exliar-vfio\/override.sh "$/m)
  const conf = { 'etc/modprobe.d/vfio.conf': 'options vfio-pci ids=10de:1b80\n' }
  const withOptions = await edit(t, 'dracut', { tree: conf })
  assert.match(Object.values(withOptions.texts)[0] ?? '', /^install_items\+=" \/etc\/modprobe.d\/vfio.conf "$/m)
  const again = await edit(t, 'dracut', { tree: { 'etc/dracut.conf.d/exliar-vfio.conf': text }, files: [script] })
  assert.deepEqual(again.files, [])
})

test('initramfs-tools: modules are listed before the drivers of graphics adapters', async (t) => {
  const list = 'etc/initramfs-tools/modules'
  const edited = async (text: string): Promise<string | undefined> =>
    (await edit(t, 'initramfs-tools', { tree: { [list]: text } })).texts[`/${list}`]
  assert.equal(await edited('# none\n'), '# none\nvfio_pci\nvfio\nvfio_iommu_type1\n')
  assert.equal(await edited('# a\next4\nnvidia\nvfio\n'), '# a\next4\nvfio_pci\nvfio\nvfio_iommu_type1\nnvidia\n')
  assert.equal(await edited('vfio_pci ids=10de:1b80\nnvidia'), 'vfio_pci ids=10de:1b80\nvfio\nvfio_iommu_type1\nnvidia')
  assert.equal(await edited('vfio-pci\nvfio\nvfio_iommu_type1\n'), undefined)
  const { files } = await edit(t, 'initramfs-tools', { tree: {}, files: [script, '/etc/modprobe.d/vfio.conf'] })
  assert.deepEqual(
    files.map(({ path, before, mode }) => [path, before, mode]),
    [
      ['/etc/initramfs-tools/modules', undefined, undefined],
      ['/etc/initramfs-tools/hooks/exliar-vfio', undefined, 0o755],
    ],
  )
  assert.match(files[1]?.text ?? '', /^copy_exec \/etc\/exliar-vfio\/override.sh/m)
})

test('booster: one key changes, and comments, quotes and order stay', async (t) => {
  const edited = async (text: string): Promise<string | undefined> =>
    (await edit(t, 'booster', { tree: { 'etc/booster.yaml': text } })).texts['/etc/booster.yaml']
  const list = 'vfio_pci,vfio,vfio_iommu_type1'
  assert.equal(
    await edited('# fast\nuniversal:   false\nmodules_force_load: "nvidia, vfio" # gpu\nstrip: true'),
    `# fast\nuniversal:   false\nmodules_force_load: "${list},nvidia" # gpu\nstrip: true`,
  )
  assert.equal(await edited('strip: true'), `strip: true\nmodules_force_load: ${list}\n`)
  assert.equal(await edited('modules_force_load:\nstrip: true\n'), `modules_force_load: ${list}\nstrip: true\n`)
  assert.equal(await edited(`modules_force_load: ${list},amdgpu\n`), undefined)
  assert.deepEqual((await edit(t, 'booster', { tree: {} })).texts, { '/etc/booster.yaml': `modules_force_load: ${list}\n` })
  const wrapped = [
    'strip: true\n...\n',
    '  strip: true\n',
    'modules_force_load: &x a\nmodules: *x\n',
    'modules_force_load: !!str\n',
  ]
  for (const text of wrapped) await assert.rejects(edited(text), { code: 'CONFIG_UNCLEAR', message: /another key/ }, text)
  for (const text of ['modules_force_load: [a]\n', '{strip: true}\n', 'a: b: c\n', 'modules_force_load: |\n  a\n']) {
    await assert.rejects(edited(text), { code: 'CONFIG_UNCLEAR' }, text)
  }
})

test('booster: where something is bound by slot VFIO is not loaded before the script that does it, and drivers that are loaded sooner are named', async (t) => {
  const bySlot = async (text: string): Promise<Awaited<ReturnType<typeof edit>>> =>
    edit(t, 'booster', { tree: { 'etc/booster.yaml': text }, files: [script] })
  assert.deepEqual((await bySlot('strip: true\n')).texts, {})
  const forced = await bySlot('modules_force_load: vfio-pci,vfio,vfio_iommu_type1,nvidia\n')
  assert.deepEqual(forced.texts, { '/etc/booster.yaml': 'modules_force_load: nvidia\n' })
  assert.match(forced.notes.join('\n'), /booster runs no scripts[^]*booster loads nvidia before that/)
  const emptied = await bySlot('modules_force_load: vfio_pci,vfio,vfio_iommu_type1\nstrip: true\n')
  assert.match(emptied.texts['/etc/booster.yaml'] ?? '', /^modules_force_load: *\nstrip: true\n$/)
  assert.equal(emptied.notes.length, 1)
})

test('the image is made by the tool of the system that is there, and never by another one’s (E7)', async (t) => {
  const conf = { 'etc/mkinitcpio.conf': '' }
  const kernel = { 'usr/lib/modules/6.12.1-arch1/pkgbase': 'linux\n', 'boot/initramfs-linux.img': '' }
  const command = async (system: InitramfsSystem, tree: Record<string, string>): Promise<string[]> =>
    (await edit(t, system, { tree })).makings.map(({ program, args }) => [program, ...args].join(' '))
  assert.deepEqual(await command('mkinitcpio', conf), ['mkinitcpio -P'])
  assert.deepEqual(await command('dracut', {}), ['dracut --force --regenerate-all'])
  assert.deepEqual(await command('dracut', kernel), ['dracut --force /boot/initramfs-linux.img --kver 6.12.1-arch1'])
  assert.deepEqual(await command('initramfs-tools', {}), ['update-initramfs -u -k all'])
  assert.deepEqual(await command('booster', kernel), [
    'booster build --force --kernel-version 6.12.1-arch1 /boot/booster-linux.img',
  ])
  await assert.rejects(command('unknown', {}), { code: 'INITRAMFS_UNSUPPORTED' })
})
