import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QuirkSetting } from '@exliar-vfio/points'
import * as fc from 'fast-check'
import { plainStretch } from '../text/mapped-text.ts'
import { applySplices } from '../text/splice.ts'
import { editKernelLine, parametersOf, type KernelLine, type LineChange } from './kernel-line.ts'

function lineOf(text: string): KernelLine {
  const part = { file: { path: '/etc/kernel/cmdline', text }, value: plainStretch(text, 0, text.length) }
  return { parts: [part], target: part }
}

function edited(text: string, change: Partial<LineChange>): string {
  const { splices } = editKernelLine(lineOf(text), { add: [], remove: [], ...change })
  return applySplices(
    text,
    splices.map(({ splice }) => splice),
  )
}

test('repeated parameters, their order, quotes and spaces stay as they are (E4)', () => {
  const line = 'root=/dev/sda2  console=tty0\tconsole=ttyS0,115200n8 dyndbg="file a.c +p" quiet '
  assert.deepEqual(parametersOf(lineOf(line)), [
    'root=/dev/sda2',
    'console=tty0',
    'console=ttyS0,115200n8',
    'dyndbg="file a.c +p"',
    'quiet',
  ])
  assert.equal(
    edited(line, { add: ['intel_iommu=on', 'iommu=pt'] }),
    'root=/dev/sda2  console=tty0\tconsole=ttyS0,115200n8 dyndbg="file a.c +p" quiet intel_iommu=on iommu=pt ',
  )
})

test('what is there already is no change', () => {
  for (const line of ['iommu=pt quiet', 'iommu=pt,force quiet', 'intel-iommu=on iommu=pt']) {
    assert.deepEqual(editKernelLine(lineOf(line), { add: ['iommu=pt'], remove: [] }).splices, [], line)
  }
  assert.equal(edited('intel_iommu=on,sm_on', { add: ['intel_iommu=on'] }), 'intel_iommu=on,sm_on')
})

test('what says the opposite gives way in its place, and is remembered', () => {
  const { replaced, added } = editKernelLine(lineOf('a intel_iommu=off b'), { add: ['intel_iommu=on'], remove: [] })
  assert.deepEqual([replaced, added], [[{ from: 'intel_iommu=off', to: 'intel_iommu=on' }], []])
  assert.equal(edited('a intel_iommu=off b', { add: ['intel_iommu=on'] }), 'a intel_iommu=on b')
  assert.equal(edited('intel_iommu=on a intel_iommu=off', { add: ['intel_iommu=on'] }), 'intel_iommu=on a')
  assert.equal(edited('i915.enable_gvt=0 a', { add: ['i915.enable_gvt=1'] }), 'i915.enable_gvt=1 a')
})

test('of a list only the option that says the opposite gives way', () => {
  assert.equal(edited('intel_iommu=off,sm_on a', { add: ['intel_iommu=on'] }), 'intel_iommu=on,sm_on a')
  assert.equal(edited('intel_iommu=on,off', { add: ['intel_iommu=on'] }), 'intel_iommu=on')
  assert.equal(edited('iommu=pt iommu=off,force', { add: ['iommu=pt'] }), 'iommu=pt iommu=pt,force')
  assert.equal(edited('intel_iommu=igfx_off', { add: ['intel_iommu=on'] }), 'intel_iommu=igfx_off intel_iommu=on')
})

test('another value of a parameter that adds up is no contradiction', () => {
  assert.equal(edited('rd.driver.pre=nvme', { add: ['rd.driver.pre=vfio-pci'] }), 'rd.driver.pre=nvme rd.driver.pre=vfio-pci')
  const pages = 'hugepagesz=2M hugepages=512'
  assert.equal(edited(pages, { add: ['hugepagesz=1G', 'hugepages=16'] }), `${pages} hugepagesz=1G hugepages=16`)
  assert.equal(edited('rd.luks.name=1=a', { add: ['rd.luks.name=2=b'] }), 'rd.luks.name=1=a rd.luks.name=2=b')
  assert.equal(edited('iommu=force', { add: ['iommu=pt'] }), 'iommu=force iommu=pt')
})

test('what is for the first program stays behind the kernel’s parameters', () => {
  assert.equal(edited('quiet -- --log', { add: ['iommu=pt'] }), 'quiet iommu=pt -- --log')
  assert.equal(edited('quiet -- iommu=pt', { add: ['iommu=pt'] }), 'quiet iommu=pt -- iommu=pt')
  assert.equal(edited('-- iommu=off', { add: ['iommu=pt'], remove: ['iommu=off'] }), 'iommu=pt -- iommu=off')
  assert.equal(edited('-- a', { add: ['iommu=pt'] }), 'iommu=pt -- a')
})

test('a parameter taken out leaves no gap, wherever it stood', () => {
  assert.equal(edited('a  b c', { remove: ['b'] }), 'a c')
  assert.equal(edited('a b c', { remove: ['a'] }), 'b c')
  assert.equal(edited('a b c', { remove: ['a', 'b'] }), 'c')
  assert.equal(edited('a b c\n', { remove: ['c'] }), 'a b\n')
  assert.equal(edited('a', { remove: ['a'], add: ['iommu=pt'] }), 'iommu=pt')
})

test('an open quotation mark is refused with file and line', () => {
  assert.throws(() => edited('a "b c', { add: ['iommu=pt'] }), {
    code: 'CONFIG_UNCLEAR',
    message: '/etc/kernel/cmdline, line 1: a quotation mark is not closed',
  })
})

test('a parameter that would need quotes is refused', () => {
  const proposed = (parameter: string): boolean =>
    QuirkSetting.safeParse({ name: 'a', description: '', kernel_parameters: [parameter] }).success
  for (const parameter of ['a b', 'a$b', 'a;b', '`a`', 'a"b', 'a&b', '--']) {
    assert.throws(() => edited('', { add: [parameter] }), { code: 'BOOT_PARAMETER_UNSAFE' }, parameter)
    assert.equal(proposed(parameter), false, `${parameter}: a plugin that proposes it is named, and keeps nobody from a plan`)
  }
  assert.ok(proposed('vfio-pci.ids=10de:1b80'))
})

test('whatever the line, adding keeps all it had in order, and adding again changes nothing', () => {
  const token = fc.stringMatching(/^[a-z][a-z._-]{0,6}(=[a-z0-9,:/]{0,6})?$/)
  const gap = fc.constantFrom(' ', '  ', '\t')
  fc.assert(
    fc.property(fc.array(fc.tuple(token, gap), { maxLength: 12 }), (tokens) => {
      const line = tokens.flat().join('')
      const after = edited(line, { add: ['intel_iommu=on', 'rd.driver.pre=vfio-pci'] })
      const before = parametersOf(lineOf(line))
      assert.deepEqual(parametersOf(lineOf(after)).slice(0, before.length), before)
      assert.equal(edited(after, { add: ['intel_iommu=on', 'rd.driver.pre=vfio-pci'] }), after)
    }),
  )
})
