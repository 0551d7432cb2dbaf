import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import * as fc from 'fast-check'
import { configBytes, type TreeReader } from '../text/config-file.ts'
import { editBootSetup } from './edit-boot-setup.ts'
import { readGrub } from './grub.ts'

const [every, usual] = ['GRUB_CMDLINE_LINUX', 'GRUB_CMDLINE_LINUX_DEFAULT']
const wanted = ['exl_a=1', 'exl.b=2']
const runs = 200

const plain = [
  'quiet',
  'console=tty0',
  'é',
  'x#y',
  '~',
  'dyndbg=\\"file x +p\\"',
  '--',
  ',',
  ':',
  '=',
  '%',
  ' ',
  ' ',
  ' ',
  '  ',
  '\t',
]
const escaped = ['\\\n', '\\ ', '\\"', '\\\\', '\\$', '#', '\r', '\n', '`echo y`', '$(echo x)', "${OTHER:-'}'}", '$']
const references = [`$${usual}`, `\${${usual}} `, `$${usual} a`, `$${every}`, '$OTHER', '${OTHER:-a b}', '$((1+1))']
const some = (pieces: readonly string[], maxLength = 6): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...pieces), { maxLength }).map((parts) => parts.join(''))
const inner = fc.oneof(
  { weight: 4, arbitrary: some(plain) },
  { weight: 1, arbitrary: some([...plain, ...escaped, ...references]) },
)
const quoted = fc.tuple(fc.constantFrom('"', '"', "'"), inner).map(([quote, text]) => `${quote}${text}${quote}`)
const word = fc.oneof(
  { weight: 6, arbitrary: quoted },
  { weight: 2, arbitrary: fc.tuple(quoted, fc.constantFrom('', 'a', '#b', '\\ '), quoted).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: some([...plain, ...escaped, ...references, '"', "'"], 4) },
)
const rarely = <Value>(usually: Value, ...seldom: Value[]): fc.Arbitrary<Value> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usually) }, { weight: 1, arbitrary: fc.constantFrom(...seldom) })
const assignment = fc
  .tuple(
    rarely('', 'export ', ' ', '! ', 'true && ', 'false || ', 'OTHER=1 ', 'readonly '),
    fc.constantFrom(usual, usual, every, 'OTHER'),
    rarely('=', '+='),
    word,
    rarely('', ' # why "', ';', ' ', ' true', ' &', ' | cat', ' >/dev/null'),
  )
  .map((parts) => parts.join(''))
const statement = fc.constantFrom(
  '# a "comment\' $(',
  'GRUB_DEFAULT=0',
  'true &&',
  'false &&',
  'f',
  'echo done',
  'echo fi',
  'OTHER="a\nb"',
  'eval true',
  'return 0',
  `unset ${usual}`,
  `: \${${every}:=x}`,
  `[ -n "$${every}" ] && OTHER=2`,
  `export ${usual}`,
  `read ${usual} < /dev/null`,
  '{',
  'fi',
)
const blocks = [
  'if false; then\n?\nfi',
  'if true; then # a\n?\nfi',
  'f() {\n?\n}',
  'f() { # a\n?\n}\nf',
  '{\n?\n}',
  '(\n?\n)',
  'cat <<EOF\n?\nEOF',
  'cat <<-"E F"\n?\n\tE F',
  'case x in x)\n?\nesac',
  'for i in 1 2; do\n?\ndone',
  'true && {\n?\n}',
  'false &&\n?\n',
  'true; if false\nthen\n?\nfi',
  'if echo done\nthen\n?\nfi',
  'while false; do\n?\ndone',
  'echo "\n?\n"',
  'case x in\n(y)\n?\n;;\nesac',
  'function f {\n?\n}\nf',
]
const block = fc.tuple(fc.constantFrom(...blocks), assignment).map(([around, line]) => around.replace('?', () => line))
const line = fc.oneof({ weight: 8, arbitrary: assignment }, { weight: 1, arbitrary: statement }, { weight: 1, arbitrary: block })
const file = fc
  .tuple(
    fc.array(line, { minLength: 1, maxLength: 4 }),
    rarely('\n', '; ', '\r\n', '\n\n'),
    fc.constantFrom('\n', '\n', '', '\\'),
  )
  .map(([lines, gap, last]) => `${lines.join(gap)}${last}`)

interface Case {
  readonly before: string
  readonly after: string
}

function edited(text: string, shell: string): readonly Case[] {
  const before = Buffer.from(text).toString('latin1')
  const tree: TreeReader = {
    readBytes: (path) => (path === '/etc/default/grub' ? configBytes(before) : undefined),
    names: () => [],
    has: () => false,
    stat: () => undefined,
    linkName: () => undefined,
    realPath: () => `/usr/bin/${shell === 'sh' ? 'dash' : shell}`,
  }
  try {
    const { files } = editBootSetup(readGrub(tree), { add: wanted, remove: [] })
    return [{ before, after: files[0]?.text ?? before }]
  } catch (error) {
    assert.ok(error instanceof PlatformError && error.code === 'CONFIG_UNCLEAR', before)
    return []
  }
}

/** The two lines and all else that the shell has read of each file; undefined where it stopped. One process for all. */
async function readBy(
  shell: string,
  t: TestContext,
  files: readonly string[],
): Promise<readonly (readonly string[] | undefined)[]> {
  const directory = await temporaryDirectory(t)
  mkdirSync(join(directory, 'empty'))
  for (const [index, text] of files.entries()) writeFileSync(join(directory, String(index)), configBytes(text))
  const script = `cd "$1/empty"; n=0
while [ "$n" -lt "$2" ]; do
  printf '%s\\0' "$(. "../$n" >/dev/null 2>&1 </dev/null; [ $? = 2 ] && exit; printf '%s\\1%s\\1%s\\1%s.' "$${every}" "$${usual}" "$OTHER" "$GRUB_DEFAULT")"
  n=$((n+1))
done`
  const options = {
    encoding: 'latin1' as const,
    maxBuffer: 1 << 28,
    stdio: ['ignore' as const, 'pipe' as const, 'ignore' as const],
  }
  const said = execFileSync(shell, ['-c', script, shell, directory, String(files.length)], options).split('\0')
  return said.slice(0, -1).map((fields) => (fields.endsWith('.') ? fields.slice(0, -1).split('\x01') : undefined))
}

function parameters([first = '', second = '']: readonly string[]): readonly string[] {
  return `${first} ${second}`.match(/(?:"[^"]*"?|[^\s"])+/g) ?? []
}

for (const shell of ['sh', 'bash']) {
  test(`whatever GRUB’s file says, ${shell} reads it with what was added and nothing else changed, or it is refused`, async (t) => {
    if (!requireProgram(t, 'bash', 'bash')) return
    const cases = fc.sample(file, { numRuns: runs, seed: 7 }).flatMap((text) => edited(text, shell))
    const read = await readBy(
      shell,
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
      if (!/OTHER\+?=[^]*\$\{?GRUB|\[ -n/.test(before)) assert.deepEqual(is.slice(2), was.slice(2), shown)
      const now = parameters(is)
      const at = now.indexOf(wanted[0] ?? '')
      assert.deepEqual(now.slice(at, at + 2), wanted, shown)
      assert.deepEqual(now.toSpliced(at, 2), parameters(was), shown)
      assert.ok(!now.slice(0, at).includes('--'), shown)
    }
    assert.ok(compared > runs / 5, `only ${compared} of ${runs} were compared`)
  })
}
