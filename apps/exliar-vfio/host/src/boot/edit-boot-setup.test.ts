import assert from 'node:assert/strict'
import { chmod } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import type { Bootloader } from '@exliar-vfio/points'
import { madeTree } from '../fixtures/materialise.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { editBootSetup, type BootEdit } from './edit-boot-setup.ts'
import { parametersOf } from './kernel-line.ts'
import { readBootSetup } from './read-boot-setup.ts'

type Files = Readonly<Record<string, string>>

async function treeOf(t: TestContext, files: Files, programs: readonly string[] = []): Promise<MachineTree> {
  const scripts = Object.fromEntries(programs.map((name) => [`usr/bin/${name}`, '#!/bin/sh\n']))
  const root = await madeTree(t, files, scripts)
  for (const name of programs) await chmod(`${root}/usr/bin/${name}`, 0o755)
  return MachineTree.open(root)
}

const add = ['intel_iommu=on', 'iommu=pt']

async function edit(t: TestContext, bootloader: Bootloader, files: Files): Promise<Record<string, string>> {
  const { files: edited }: BootEdit = editBootSetup(readBootSetup(await treeOf(t, files), bootloader), { add, remove: [] })
  return Object.fromEntries(edited.map(({ path, text }) => [path, text]))
}

async function grub(t: TestContext, text: string): Promise<string | undefined> {
  return (await edit(t, 'grub', { 'etc/default/grub': text }))['/etc/default/grub']
}

const refused = { code: 'CONFIG_UNCLEAR' }

test('GRUB’s editor changes one line and nothing else, whatever the quotes (E3)', async (t) => {
  const rest = '# how to boot\nGRUB_DEFAULT=0\nGRUB_DISTRIBUTOR=`( . /etc/os-release; echo ${NAME} ) 2>/dev/null`\n'
  const cases = [
    ['GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"', 'GRUB_CMDLINE_LINUX_DEFAULT="quiet splash intel_iommu=on iommu=pt"'],
    ["GRUB_CMDLINE_LINUX_DEFAULT='quiet'   # why", "GRUB_CMDLINE_LINUX_DEFAULT='quiet intel_iommu=on iommu=pt'   # why"],
    ['GRUB_CMDLINE_LINUX_DEFAULT=""', 'GRUB_CMDLINE_LINUX_DEFAULT="intel_iommu=on iommu=pt"'],
    ['GRUB_CMDLINE_LINUX_DEFAULT=', 'GRUB_CMDLINE_LINUX_DEFAULT="intel_iommu=on iommu=pt"'],
    ['GRUB_CMDLINE_LINUX_DEFAULT=quiet', 'GRUB_CMDLINE_LINUX_DEFAULT=quiet" intel_iommu=on iommu=pt"'],
    ['GRUB_CMDLINE_LINUX_DEFAULT="a \\\n b"', 'GRUB_CMDLINE_LINUX_DEFAULT="a \\\n b intel_iommu=on iommu=pt"'],
    [
      'GRUB_CMDLINE_LINUX_DEFAULT="dyndbg=\\"file a +p\\" q"',
      'GRUB_CMDLINE_LINUX_DEFAULT="dyndbg=\\"file a +p\\" q intel_iommu=on iommu=pt"',
    ],
    ['GRUB_CMDLINE_LINUX="rhgb quiet"', 'GRUB_CMDLINE_LINUX="rhgb quiet intel_iommu=on iommu=pt"'],
    ['GRUB_TIMEOUT=5', 'GRUB_TIMEOUT=5\n\tGRUB_TERMINAL=console\nGRUB_CMDLINE_LINUX_DEFAULT="intel_iommu=on iommu=pt"'],
  ] as const
  for (const [before, after] of cases) {
    const tail = before.startsWith('GRUB_TIMEOUT') ? '' : '\n\tGRUB_TERMINAL=console'
    const given = before.startsWith('GRUB_TIMEOUT') ? `${before}\n\tGRUB_TERMINAL=console` : `${before}${tail}`
    assert.equal(await grub(t, `${rest}${given}\n`), `${rest}${after}${tail}\n`, before)
  }
})

test('two consoles stay two, in their order, across both of GRUB’s lines (E4)', async (t) => {
  const text = 'GRUB_CMDLINE_LINUX="console=ttyS1 console=tty0"\nGRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0 iommu=off quiet"\n'
  assert.equal(
    await grub(t, text),
    'GRUB_CMDLINE_LINUX="console=ttyS1 console=tty0"\nGRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0 iommu=pt quiet intel_iommu=on"\n',
  )
  const setup = readBootSetup(await treeOf(t, { 'etc/default/grub': text }), 'grub')
  assert.deepEqual(setup.lines.map(parametersOf), [['console=ttyS1', 'console=tty0', 'console=ttyS0', 'iommu=off', 'quiet']])
})

test('a drop-in that overrides GRUB’s line is the one that is changed; one that adds to it is left', async (t) => {
  const main = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n'
  const overriding = await edit(t, 'grub', {
    'etc/default/grub': main,
    'etc/default/grub.d/50-cloud.cfg': 'GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0"\n',
  })
  assert.deepEqual(overriding, {
    '/etc/default/grub.d/50-cloud.cfg': 'GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0 intel_iommu=on iommu=pt"\n',
  })
  const adding = await edit(t, 'grub', {
    'etc/default/grub': main,
    'etc/default/grub.d/kdump.cfg': 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT crashkernel=512M-:192M"\n',
  })
  assert.deepEqual(adding, { '/etc/default/grub': 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on iommu=pt"\n' })
})

test('what GRUB’s file computes, or sets only sometimes, is refused with file and line', async (t) => {
  const cases = [
    ['GRUB_CMDLINE_LINUX_DEFAULT="root=$(blkid)"', 2],
    ['GRUB_CMDLINE_LINUX_DEFAULT="$OTHER quiet"', 2],
    ['if [ -e /x ]; then\n  GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nfi', 3],
    ['[ -e /x ] && GRUB_CMDLINE_LINUX_DEFAULT="quiet"', 2],
    ['GRUB_CMDLINE_LINUX_DEFAULT="quiet', 2],
    ['GRUB_CMDLINE_LINUX_DEFAULT=(quiet)', 2],
    ['GRUB_CMDLINE_LINUX_DEFAULT=quiet splash', 2],
  ] as const
  for (const [text, line] of cases) {
    const message = new RegExp(`^/etc/default/grub, line ${line}: `)
    await assert.rejects(grub(t, `GRUB_DEFAULT=0\n${text}\n`), { ...refused, message }, text)
  }
})

test('bytes that are no UTF-8 come back as they were', async (t) => {
  const before = Buffer.from([0x23, 0xff, 0xe9, 0x0a, ...Buffer.from('GRUB_CMDLINE_LINUX_DEFAULT="a"\n')])
  const root = await madeTree(t, { 'etc/default/grub': before })
  const { files } = editBootSetup(readBootSetup(MachineTree.open(root), 'grub'), { add: ['iommu=pt'], remove: [] })
  const after = Buffer.from(files[0]?.text ?? '', 'latin1')
  assert.deepEqual([...after.subarray(0, 4)], [0x23, 0xff, 0xe9, 0x0a])
})

test('where GRUB reads an entry for each kernel, those are changed too; a line kept in a variable is refused', async (t) => {
  const files = {
    'etc/default/grub': 'GRUB_CMDLINE_LINUX="rhgb"\nGRUB_ENABLE_BLSCFG=true\n',
    'boot/loader/entries/a.conf': 'title Fedora\nlinux /vmlinuz\noptions root=UUID=1 ro rhgb\n',
  }
  assert.deepEqual(Object.keys(await edit(t, 'grub', files)), ['/etc/default/grub', '/boot/loader/entries/a.conf'])
  const kept = { ...files, 'boot/loader/entries/a.conf': 'linux /vmlinuz\noptions $kernelopts\n' }
  await assert.rejects(edit(t, 'grub', kept), { ...refused, message: /a\.conf, line 2/ })
})

test('GRUB’s own configuration is made by the program that is there, to the place where it is', async (t) => {
  const settings = { 'etc/default/grub': '' }
  const made = async (files: Files, programs: readonly string[]): Promise<string> => {
    const [making] = readBootSetup(await treeOf(t, { ...settings, ...files }, programs), 'grub').makings
    return [making?.program, ...(making?.args ?? [])].join(' ')
  }
  assert.equal(await made({}, ['update-grub', 'grub-mkconfig']), 'update-grub')
  assert.equal(await made({ 'boot/grub/grub.cfg': '' }, ['grub-mkconfig']), 'grub-mkconfig -o /boot/grub/grub.cfg')
  assert.equal(await made({ 'boot/grub2/grub.cfg': '' }, ['grub2-mkconfig']), 'grub2-mkconfig -o /boot/grub2/grub.cfg')
})

test('systemd-boot: every entry of a Linux kernel is changed once, its other lines and those of other systems stay', async (t) => {
  const entry = 'title\tArch\nlinux   /vmlinuz-linux\noptions root=UUID=1\noptions\tquiet  \n'
  assert.deepEqual(
    await edit(t, 'systemd-boot', {
      'boot/loader/entries/arch.conf': entry,
      'boot/loader/entries/old.conf': 'linux /vmlinuz\n',
      'boot/loader/entries/windows.conf': 'title Windows\nefi /EFI/Microsoft/Boot/bootmgfw.efi\n',
    }),
    {
      '/boot/loader/entries/arch.conf': entry.replace('quiet  ', 'quiet intel_iommu=on iommu=pt  '),
      '/boot/loader/entries/old.conf': 'linux /vmlinuz\noptions intel_iommu=on iommu=pt\n',
    },
  )
  await assert.rejects(edit(t, 'systemd-boot', {}), { code: 'CONFIG_MISSING' })
})

test('kernelstub: parameters are elements of a list, written as the others are', async (t) => {
  const text = '{\n  "user": {\n    "kernel_options": [\n      "quiet",\n      "splash"\n    ],\n    "config_rev": 3\n  }\n}'
  const path = 'etc/kernelstub/configuration'
  assert.deepEqual(await edit(t, 'kernelstub', { [path]: text }), {
    [`/${path}`]: text.replace('"splash"', '"splash",\n      "intel_iommu=on",\n      "iommu=pt"'),
  })
  const empty = await edit(t, 'kernelstub', { [path]: '{"user":{"kernel_options":[]}}' })
  assert.equal(empty[`/${path}`], '{"user":{"kernel_options":["intel_iommu=on", "iommu=pt"]}}')
  await assert.rejects(edit(t, 'kernelstub', { [path]: '{\n"user": {' }), refused)
  await assert.rejects(edit(t, 'kernelstub', { [path]: '{\n"user": {"kernel_options": 5}}' }), { message: /line 2/ })
})

test('Limine: what its program reads is changed where there is one, else its entries', async (t) => {
  const config =
    'timeout: 3\n\n/Arch\n    protocol: linux\n    kernel_path: boot():/vmlinuz\n    cmdline: root=UUID=1 rw\n/Other\n    protocol: efi\n'
  assert.deepEqual(await edit(t, 'limine', { 'boot/limine.conf': config }), {
    '/boot/limine.conf': config.replace('UUID=1 rw', 'UUID=1 rw intel_iommu=on iommu=pt'),
  })
  const files = {
    'boot/limine.conf': config,
    'etc/default/limine': 'KERNEL_CMDLINE[default]="quiet"\nKERNEL_CMDLINE[lts]+="a"\n',
  }
  const setup = readBootSetup(await treeOf(t, files, ['limine-update']), 'limine')
  const [edited, ...others] = editBootSetup(setup, { add, remove: [] }).files
  assert.deepEqual(others, [])
  assert.equal(
    edited?.text,
    'KERNEL_CMDLINE[default]="quiet intel_iommu=on iommu=pt"\nKERNEL_CMDLINE[lts]+="a intel_iommu=on iommu=pt"\n',
  )
  assert.deepEqual(setup.makings, [{ program: 'limine-update', args: [], generates: ['/boot/limine.conf'] }])
  await assert.rejects(edit(t, 'limine', { 'boot/limine.conf': '/A\nprotocol: linux\ncmdline: ${X}\n' }), refused)
})

test('a unified image’s line is changed where it is kept; without that file nobody knows it', async (t) => {
  assert.deepEqual(await edit(t, 'uki', { 'etc/kernel/cmdline': 'root=UUID=1 quiet\n' }), {
    '/etc/kernel/cmdline': 'root=UUID=1 quiet intel_iommu=on iommu=pt\n',
  })
  await assert.rejects(edit(t, 'uki', {}), { code: 'CONFIG_MISSING' })
})

test('an unknown bootloader is left alone', async (t) => {
  await assert.rejects(edit(t, 'unknown', {}), { code: 'BOOT_UNSUPPORTED' })
})
