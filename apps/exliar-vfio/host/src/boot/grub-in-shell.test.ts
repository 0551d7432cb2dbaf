import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import * as fc from 'fast-check'
import { editedAlone, readByShell, type EditedFile } from '../fixtures/read-by-shell.ts'
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

/** The two lines and all else that the shell has read. */
const say = [every, usual, 'OTHER', 'GRUB_DEFAULT'].map((name) => `printf '%s\\1' "$${name}"`).join('; ')

function edited(text: string, shell: string): readonly EditedFile[] {
  const grubFile = { path: '/etc/default/grub', text, shell: `/usr/bin/${shell === 'sh' ? 'dash' : shell}` }
  return editedAlone(grubFile, (tree) => editBootSetup(readGrub(tree), { add: wanted, remove: [] }).files)
}

function parameters([first = '', second = '']: readonly string[]): readonly string[] {
  return `${first} ${second}`.match(/(?:"[^"]*"?|[^\s"])+/g) ?? []
}

for (const shell of ['sh', 'bash']) {
  test(`whatever GRUB’s file says, ${shell} reads it with what was added and nothing else changed, or it is refused`, async (t) => {
    if (!requireProgram(t, 'bash', 'bash')) return
    const cases = fc.sample(file, { numRuns: runs, seed: 7 }).flatMap((text) => edited(text, shell))
    const read = await readByShell(t, { shell, say }, cases)
    for (const { before, after, was, is } of read) {
      const shown = JSON.stringify({ before, after, was, is })
      assert.ok(is !== undefined, shown)
      if (!/OTHER\+?=[^]*\$\{?GRUB|\[ -n/.test(before)) assert.deepEqual(is.slice(2), was.slice(2), shown)
      const now = parameters(is)
      const at = now.indexOf(wanted[0] ?? '')
      assert.deepEqual(now.slice(at, at + 2), wanted, shown)
      assert.deepEqual(now.toSpliced(at, 2), parameters(was), shown)
      assert.ok(!now.slice(0, at).includes('--'), shown)
    }
    assert.ok(read.length > runs / 5, `only ${read.length} of ${runs} were compared`)
  })
}
