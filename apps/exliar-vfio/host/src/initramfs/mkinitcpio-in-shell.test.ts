import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import * as fc from 'fast-check'
import { editedAlone, readByShell, type EditedFile } from '../fixtures/read-by-shell.ts'
import { moduleName } from './early-modules.ts'
import { editMkinitcpio } from './mkinitcpio.ts'

const modules = ['vfio_pci', 'vfio']
const script = '/etc/exliar-vfio/override.sh'
const runs = 150

const element = fc.constantFrom(
  'btrfs',
  'i915',
  'amdgpu?',
  'vfio',
  'vfio-pci',
  '"nvidia"',
  "'nvidia_drm'",
  'é',
  '"a b"',
  'a\\ b',
  'x#y',
  '""',
)
const rare = fc.constantFrom(
  '"${MODULES[@]}"',
  '$MODULES',
  '$(echo x)',
  '[3]=a',
  '{a,b}',
  '~',
  '\\',
  '\r',
  '"',
  '(',
  '$OTHER',
  '${OTHER}',
)
const gap = fc.constantFrom(' ', ' ', ' ', '\n  ', ' # why (\n', '\t', ' \\\n')
const elements = fc
  .array(fc.tuple(fc.oneof({ weight: 14, arbitrary: element }, { weight: 1, arbitrary: rare }), gap), { maxLength: 4 })
  .map((list) => list.flat().join(''))
const list = fc.oneof(
  { weight: 8, arbitrary: elements.map((inside) => `(${inside})`) },
  { weight: 2, arbitrary: fc.constantFrom('', '""', "''", '"btrfs vfio"', 'btrfs', '" "') },
)
const assignment = fc
  .tuple(
    fc.constantFrom('', '', '', '', '', 'true && ', 'export ', 'declare -a '),
    fc.constantFrom('MODULES', 'MODULES', 'FILES', 'HOOKS', 'OTHER'),
    fc.constantFrom('=', '=', '=', '+='),
    list,
    fc.constantFrom('', '', '', '', ' # why', ';', ' true'),
  )
  .map((parts) => parts.join(''))
const file = fc
  .tuple(fc.array(assignment, { minLength: 1, maxLength: 4 }), fc.constantFrom('\n', '\n', '\n', '\r\n'), fc.boolean())
  .map(([lines, between, last]) => lines.join(between) + (last ? '\n' : ''))

/** The lists that bash has read, texts split as mkinitcpio splits them. */
const say = `set -f; for name in MODULES FILES HOOKS OTHER; do
  declare -n list=$name; [[ \${list@a} != *a* ]] && list=($list)
  printf '%s\\2' "\${list[@]}"; printf '\\1'
done`

function listsOf(parts: readonly string[]): readonly string[][] {
  return parts.map((part) => part.split('\x02').filter((each) => each !== ''))
}

function edited(text: string): readonly EditedFile[] {
  return editedAlone({ path: '/etc/mkinitcpio.conf', text }, (tree) => editMkinitcpio(tree, { modules, files: [script] }).files)
}

test('whatever mkinitcpio’s file says, bash reads it with what is wanted first and nothing else changed, or it is refused', async (t) => {
  if (!requireProgram(t, 'bash', 'bash')) return
  const cases = fc.sample(file, { numRuns: runs, seed: 3 }).flatMap(edited)
  const read = await readByShell(t, { shell: 'bash', say }, cases)
  for (const { before, after, was, is } of read) {
    const shown = JSON.stringify({ before, after, was, is })
    assert.ok(is !== undefined, shown)
    const [loaded = [], files = [], ...others] = listsOf(is)
    const [standing = [], brought = [], ...rest] = listsOf(was)
    const withoutWanted = (names: readonly string[]): string[] => names.filter((name) => !modules.includes(moduleName(name)))
    if (!/(?:OTHER|HOOKS)\+?=[^]*\$\{?MODULES/.test(before)) assert.deepEqual(others, rest, shown)
    assert.deepEqual(withoutWanted(loaded), withoutWanted(standing), shown)
    const firstDriver = loaded.findIndex((name) => ['i915', 'nvidia', 'nvidia_drm'].includes(name))
    const early = firstDriver === -1 ? loaded : loaded.slice(0, firstDriver)
    for (const name of modules) assert.ok(early.map(moduleName).includes(name), shown)
    assert.deepEqual(files.toSorted(), [...brought, script].toSorted(), shown)
  }
  assert.ok(read.length > runs / 5, `only ${read.length} of ${runs} were compared`)
})
