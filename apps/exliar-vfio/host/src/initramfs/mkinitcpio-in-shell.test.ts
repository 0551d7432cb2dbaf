import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import * as fc from 'fast-check'
import { configBytes, type TreeReader } from '../text/config-file.ts'
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

interface Case {
  readonly before: string
  readonly after: string
}

function edited(text: string): readonly Case[] {
  const before = Buffer.from(text).toString('latin1')
  const tree: TreeReader = {
    readBytes: (path) => (path === '/etc/mkinitcpio.conf' ? configBytes(before) : undefined),
    names: () => [],
    has: () => false,
    stat: () => undefined,
    linkName: () => undefined,
    realPath: () => undefined,
  }
  try {
    return [{ before, after: editMkinitcpio(tree, { modules, files: [script] }).files[0]?.text ?? before }]
  } catch (error) {
    assert.ok(error instanceof PlatformError && error.code === 'CONFIG_UNCLEAR', before)
    return []
  }
}

/** The lists that bash has read of each file, texts split as mkinitcpio splits them; undefined where it stopped. */
async function readByBash(t: TestContext, files: readonly string[]): Promise<readonly (readonly string[][] | undefined)[]> {
  const directory = await temporaryDirectory(t)
  for (const [index, text] of files.entries()) writeFileSync(join(directory, String(index)), configBytes(text))
  const read = `cd "$1"; n=0; set -f
while [ "$n" -lt "$2" ]; do
  printf '%s\\0' "$(. "./$n" >/dev/null 2>&1 </dev/null; [ $? = 2 ] && exit
    for name in MODULES FILES HOOKS OTHER; do
      declare -n list=$name; [[ \${list@a} != *a* ]] && list=($list)
      printf '%s\\1' "\${list[@]}"; printf '\\2'
    done)"
  n=$((n+1))
done`
  const options = { encoding: 'latin1' as const, stdio: ['ignore' as const, 'pipe' as const, 'ignore' as const] }
  const said = execFileSync('bash', ['-c', read, 'bash', directory, String(files.length)], options).split('\0')
  return said.slice(0, -1).map((fields) => {
    const lists = fields.split('\x02').slice(0, -1)
    return lists.length < 4 ? undefined : lists.map((one) => one.split('\x01').filter((each) => each !== ''))
  })
}

test('whatever mkinitcpio’s file says, bash reads it with what is wanted first and nothing else changed, or it is refused', async (t) => {
  if (!requireProgram(t, 'bash', 'bash')) return
  const cases = fc.sample(file, { numRuns: runs, seed: 3 }).flatMap(edited)
  const read = await readByBash(
    t,
    cases.flatMap(({ before, after }) => [before, after]),
  )
  let compared = 0
  for (const [index, { before, after }] of cases.entries()) {
    const [was, is] = [read[2 * index], read[2 * index + 1]]
    if (was === undefined) continue
    compared += 1
    const shown = JSON.stringify({ before, after, was, is })
    assert.ok(is !== undefined, shown)
    const [loaded = [], files = [], ...others] = is
    const [standing = [], brought = [], ...rest] = was
    const withoutWanted = (names: readonly string[]): string[] => names.filter((name) => !modules.includes(moduleName(name)))
    if (!/(?:OTHER|HOOKS)\+?=[^]*\$\{?MODULES/.test(before)) assert.deepEqual(others, rest, shown)
    assert.deepEqual(withoutWanted(loaded), withoutWanted(standing), shown)
    const firstDriver = loaded.findIndex((name) => ['i915', 'nvidia', 'nvidia_drm'].includes(name))
    const early = firstDriver === -1 ? loaded : loaded.slice(0, firstDriver)
    for (const name of modules) assert.ok(early.map(moduleName).includes(name), shown)
    assert.deepEqual(files.toSorted(), [...brought, script].toSorted(), shown)
  }
  assert.ok(compared > runs / 5, `only ${compared} of ${runs} were compared`)
})
