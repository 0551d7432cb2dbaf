import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Bootloader } from '@exliar-vfio/points'
import { bringScript } from '../fixtures/bring-program.ts'
import { madeTree, type TreeDescription } from '../fixtures/materialise.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { editBootSetup } from './edit-boot-setup.ts'
import { limineAfterImages } from './limine.ts'
import { readBootSetup } from './read-boot-setup.ts'
import { unifiedAfterImages } from './unified-image.ts'

const add = ['iommu=pt']
const unclear = { code: 'CONFIG_UNCLEAR' }

interface Given {
  readonly files: TreeDescription
  readonly programs?: Readonly<Record<string, string>>
}

async function treeOf(t: TestContext, { files, programs = {} }: Given): Promise<MachineTree> {
  const root = await madeTree(t, { 'etc/hostname': 'a' }, files)
  for (const [name, script] of Object.entries(programs)) bringScript(root, `usr/bin/${name}`, script)
  return MachineTree.open(root)
}

async function edit(t: TestContext, bootloader: Bootloader, given: Given): Promise<Readonly<Record<string, string>>> {
  const { files } = editBootSetup(readBootSetup(await treeOf(t, given), bootloader), { add, remove: [] })
  return Object.fromEntries(files.map(({ path, text }) => [path, text]))
}

async function grub(t: TestContext, text: string): Promise<string | undefined> {
  return (await edit(t, 'grub', { files: { 'etc/default/grub': text } }))['/etc/default/grub']
}

const line = 'GRUB_CMDLINE_LINUX_DEFAULT'

test('a line of GRUB’s that a shell does not always set, or reads otherwise than it looks, is refused with its place', async (t) => {
  const cases = [
    [`f() { # why\n${line}="a"\n}`, 2],
    [`(\n${line}="a"\n)`, 2],
    [`true &&\n${line}="a"`, 2],
    [`true; if false\nthen\n${line}="a"\nfi`, 3],
    [`if echo done\nthen\n${line}="a"\nfi`, 3],
    [`${line}="a"\nunset ${line}`, 2],
    [`${line}="a"\nread ${line} < /etc/line`, 2],
    [`${line}="a"\n. /etc/default/more`, 2],
    [`${line}="a"\n: \${${line}:=b}`, 2],
    [`return\n${line}="a"`, 2],
    [`${line}="a"\n${line}+="b"`, 2],
    [`${line}="a"\n${line}="\${${line}}b"`, 2],
    [`${line}="a"\n${line}='$${line} b'`, 2],
    [`${line}="a"\r\nGRUB_TIMEOUT=5\r`, 1],
    [`${line}=~/a`, 1],
    [`GRUB_TIMEOUT=5 \\`, 1],
    [`cat <<EOF\n${line}="a"\n`, 3],
  ] as const
  for (const [text, at] of cases) {
    await assert.rejects(grub(t, text), { ...unclear, message: new RegExp(`^/etc/default/grub, line ${at}: `) }, text)
  }
})

test('what only looks like GRUB’s line is left alone: documents, quoted text, other variables, comments in a word', async (t) => {
  const cases = [
    `cat <<EOF >/dev/null\n${line}="x"\nEOF\n${line}="a"\n`,
    `OTHER="\n${line}=x"\n${line}="a"\n`,
    `GRUB_DISTRIBUTOR=\${NAME:-Some Linux "}"}\n${line}="a"\n`,
    `[ -n "$${line}" ] && OTHER=2\nif true; then\nOTHER=$${line}\nfi\n${line}="a"\nexport ${line}\n`,
  ]
  for (const text of cases) assert.equal(await grub(t, text), text.replace(`${line}="a"`, `${line}="a iommu=pt"`))
  assert.equal(await grub(t, `${line}=""#b\n`), `${line}=""#b" iommu=pt"\n`)
  assert.equal(await grub(t, `${line}="a"\n${line}+=" b"\n`), `${line}="a iommu=pt"\n${line}+=" b"\n`)
})

test('what adds to GRUB’s line is refused where the shell that reads the file cannot do it', async (t) => {
  const files = { 'etc/default/grub': `${line}="a"\n${line}+=" b"\n`, 'bin/sh': { link: 'dash' }, 'bin/dash': '' }
  await assert.rejects(edit(t, 'grub', { files }), { ...unclear, message: /line 2: \/bin\/dash reads this file/ })
})

test('what follows "--" in an earlier part is for the first program, and what is wanted goes before it', async (t) => {
  assert.equal(
    await grub(t, `GRUB_CMDLINE_LINUX="a -- b"\n${line}="iommu=pt"\n`),
    `GRUB_CMDLINE_LINUX="a iommu=pt -- b"\n${line}="iommu=pt"\n`,
  )
  const entry = 'linux /vmlinuz\noptions a --\noptions b\n'
  const edited = await edit(t, 'systemd-boot', { files: { 'boot/loader/entries/a.conf': entry } })
  assert.equal(edited['/boot/loader/entries/a.conf'], entry.replace('a --', 'a iommu=pt --'))
})

test('a directory that this GRUB does not read has no say', async (t) => {
  const files = { 'etc/default/grub': `${line}="a"\n`, 'etc/default/grub.d/x.cfg': `${line}="b"\n` }
  const upstream = '. ${sysconfdir}/default/grub'
  const debian = `${upstream}\nfor x in \${sysconfdir}/default/grub.d/*.cfg; do . $x; done`
  const edited = async (script: string): Promise<string[]> =>
    Object.keys(await edit(t, 'grub', { files, programs: { 'grub-mkconfig': script } }))
  assert.deepEqual(await edited(upstream), ['/etc/default/grub'])
  assert.deepEqual(await edited(debian), ['/etc/default/grub.d/x.cfg'])
})

test('where GRUB reads an entry for each kernel, the line of the next kernel is changed too', async (t) => {
  const files = {
    'etc/default/grub': 'GRUB_CMDLINE_LINUX="a"\nGRUB_ENABLE_BLSCFG=true\n',
    'boot/loader/entries/a.conf': 'linux /vmlinuz\noptions a\n',
    'etc/kernel/cmdline': 'a\n',
  }
  assert.equal((await edit(t, 'grub', { files }))['/etc/kernel/cmdline'], 'a iommu=pt\n')
})

test('the variable that TuneD puts into each entry stays where it is', async (t) => {
  const entry = 'linux /vmlinuz\noptions root=UUID=1 ro $tuned_params\n'
  const edited = await edit(t, 'systemd-boot', { files: { 'boot/loader/entries/a.conf': entry } })
  assert.deepEqual(Object.values(edited), ['linux /vmlinuz\noptions root=UUID=1 ro $tuned_params iommu=pt\n'])
})

test('systemd-boot takes quotes off that stand around a whole line, so one before a parameter is refused', async (t) => {
  for (const options of ['"root=UUID=1 rw"', '"a=b c" iommu=off "d"', 'iommu=pt iommu=off "a" b="c"']) {
    const files = { 'boot/loader/entries/a.conf': `linux /vmlinuz\noptions ${options}\n` }
    await assert.rejects(edit(t, 'systemd-boot', { files }), { ...unclear, message: /a\.conf, line 2/ }, options)
  }
})

test('a kernel’s line of nothing but comments gets a line of its own', async (t) => {
  const files = { 'etc/kernel/cmdline': '# none\n' }
  assert.deepEqual(await edit(t, 'uki', { files }), { '/etc/kernel/cmdline': '# none\niommu=pt\n' })
  const behind = { 'etc/kernel/cmdline': 'quiet # none\n' }
  await assert.rejects(edit(t, 'uki', { files: behind }), { ...unclear, message: /cmdline, line 1/ })
})

test('kernelstub’s list stays valid where its only element is empty', async (t) => {
  const path = 'etc/kernelstub/configuration'
  const edited = await edit(t, 'kernelstub', { files: { [path]: '{"user":{"kernel_options":[""]}}' } })
  assert.equal(edited[`/${path}`], '{"user":{"kernel_options":["iommu=pt"]}}')
})

const entries = '/Arch\n    protocol: linux\n    module_path: boot():/initramfs.img\n    cmdline: rw\n'

test('Limine’s entries are not changed where their hash is enrolled in it, or where two files may be meant', async (t) => {
  const program = (hash: string): TreeDescription => ({
    'boot/limine.conf': entries,
    'boot/EFI/limine/limine_x64.efi': `MZ++CONFIG_B2SUM_SIGNATURE++${hash}\0`,
  })
  assert.match((await edit(t, 'limine', { files: program('0'.repeat(128)) }))['/boot/limine.conf'] ?? '', /rw iommu=pt/)
  const enrolled = program(createHash('blake2b512').update(entries).digest('hex'))
  await assert.rejects(edit(t, 'limine', { files: enrolled }), { ...unclear, message: /enrolled in \/boot\/EFI\/limine/ })
  const two = { 'boot/limine.conf': entries, 'boot/EFI/limine/limine.conf': entries }
  await assert.rejects(edit(t, 'limine', { files: two }), { ...unclear, message: /\/boot\/limine\.conf/ })
  const twice = { 'boot/limine.conf': `${entries}    cmdline: ro\n` }
  await assert.rejects(edit(t, 'limine', { files: twice }), { ...unclear, message: /line 5/ })
})

test('an image whose hash Limine knows is made anew only together with what writes the hash', async (t) => {
  const hashed = { 'boot/limine.conf': entries.replace('.img', `.img#${'a'.repeat(128)}`) }
  assert.deepEqual(limineAfterImages(await treeOf(t, { files: { 'boot/limine.conf': entries } })), [])
  const without = await treeOf(t, { files: hashed })
  assert.throws(() => limineAfterImages(without), { ...unclear, message: /limine\.conf, line 3/ })
  const efi = { 'boot/EFI/BOOT/BOOTX64.EFI': '++CONFIG_B2SUM_SIGNATURE++' }
  const tree = await treeOf(t, { files: { ...hashed, ...efi }, programs: { 'limine-update': 'true' } })
  const images = ['/boot/initramfs.img', '/efi/initramfs.img', '/boot/efi/initramfs.img']
  const generates = ['/boot/limine.conf', '/boot/EFI/BOOT/BOOTX64.EFI', ...images]
  assert.deepEqual(limineAfterImages(tree), [{ program: 'limine-update', args: [], generates }])
  truncateSync(join(tree.root, 'boot/EFI/BOOT/BOOTX64.EFI'), 9 * 1024 * 1024)
  assert.deepEqual(limineAfterImages(tree)[0]?.generates, ['/boot/limine.conf', ...images], 'a whole system may lie there too')
})

test('a unified image is made anew after the initial file system in it, where another program makes it', async (t) => {
  const programs = { dracut: 'true', 'kernel-install': 'true' }
  const tree = await treeOf(t, { files: { 'etc/kernel/install.conf': 'layout=uki\n' }, programs })
  const [making] = unifiedAfterImages(tree, [{ program: 'dracut', args: ['--force'], generates: [] }])
  assert.equal(making?.program, 'kernel-install')
  assert.deepEqual(unifiedAfterImages(tree, [making]), [])
})

test('Limine’s program has its line from the file that has the last word, or from the kernel’s own', async (t) => {
  const programs = { 'limine-update': 'true' }
  const drop = { 'etc/limine-entry-tool.d/a.conf': 'KERNEL_CMDLINE[default]="a"\n', 'boot/limine.conf': entries }
  assert.deepEqual(await edit(t, 'limine', { files: drop, programs }), {
    '/etc/limine-entry-tool.d/a.conf': 'KERNEL_CMDLINE[default]="a iommu=pt"\n',
  })
  const commented = {
    'etc/default/limine': '#KERNEL_CMDLINE[default]="a"\n',
    'etc/kernel/cmdline': 'a\n',
    'boot/limine.conf': entries,
  }
  assert.deepEqual(await edit(t, 'limine', { files: commented, programs }), { '/etc/kernel/cmdline': 'a iommu=pt\n' })
})

test('a unified image’s line is changed where the program that makes the image reads it', async (t) => {
  const kernel = { 'etc/kernel/cmdline': 'a\n' }
  const uefi = { ...kernel, 'etc/dracut.conf.d/uki.conf': 'uefi="yes"\nkernel_cmdline="root=UUID=1"\n' }
  const all = { dracut: 'true', mkinitcpio: 'true', 'kernel-install': 'true' }
  const made = async (files: TreeDescription, programs: Given['programs']): Promise<string[]> => {
    const given = { files, ...(programs === undefined ? {} : { programs }) }
    const { makings } = readBootSetup(await treeOf(t, given), 'uki')
    return [...Object.keys(await edit(t, 'uki', given)), ...makings.map(({ program }) => program)]
  }
  const dracut = { dracut: 'true' }
  assert.deepEqual(await made(uefi, dracut), ['/etc/dracut.conf.d/uki.conf', 'dracut'])
  assert.deepEqual(await made(kernel, dracut), ['/etc/kernel/cmdline'])
  assert.deepEqual(await made({ ...kernel, 'etc/kernel/install.conf': 'layout=uki\n' }, all), [
    '/etc/kernel/cmdline',
    'kernel-install',
  ])
  const preset = { ...kernel, 'etc/mkinitcpio.d/linux.preset': 'default_uki="/boot/EFI/Linux/a.efi"\n' }
  assert.deepEqual(await made(preset, all), ['/etc/kernel/cmdline', 'mkinitcpio'])
  assert.deepEqual(await made({ ...kernel, 'etc/mkinitcpio.d/linux.preset': '#default_uki="/a.efi"\n' }, all), [
    '/etc/kernel/cmdline',
  ])
  const shipped = { ...kernel, 'usr/lib/dracut/dracut.conf.d/uki.conf': 'uefi="yes"\nkernel_cmdline="a"\n' }
  await assert.rejects(made(shipped, dracut), { ...unclear, message: /^\/usr\/lib\/.*uki\.conf, line 2: .*distribution/ })
  const added = { ...shipped, 'etc/dracut.conf.d/zz.conf': 'kernel_cmdline+=" b"\n' }
  assert.deepEqual(await made(added, dracut), ['/etc/dracut.conf.d/zz.conf', 'dracut'])
  assert.deepEqual(await made({ ...shipped, 'etc/dracut.conf.d/uki.conf': '' }, dracut), ['/etc/kernel/cmdline'])
  const unknown = { ...kernel, 'etc/dracut.conf': 'uefi=yes\n' }
  await assert.rejects(made(unknown, dracut), { code: 'CONFIG_MISSING', message: /kernel_cmdline/ })
})
