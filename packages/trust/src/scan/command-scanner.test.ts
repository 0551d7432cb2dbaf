import assert from 'node:assert/strict'
import { chmod, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import type { Finding } from '../subject.ts'
import { commandScanner, type ScannerCommand } from './command-scanner.ts'
import type { ScannedFile } from './scan-tree.ts'

const { signal } = new AbortController()
const files: readonly ScannedFile[] = [
  { path: 'plugin.json', bytes: Buffer.from('{}') },
  { path: 'lib/index.js', bytes: Buffer.from('EICAR') },
]

async function scanned(t: TestContext, script: string, more: Partial<ScannerCommand> = {}): Promise<readonly Finding[]> {
  const program = join(await temporaryDirectory(t), 'scanner')
  await writeFile(program, `#!/bin/sh\n${script}\n`)
  await chmod(program, 0o755)
  return commandScanner({ name: 'demo', argv: [program, '{directory}'], ...more })(files, signal)
}

const one = (findings: readonly Finding[]): readonly unknown[] => {
  const [finding] = findings
  return [findings.length, finding?.rule, finding?.severity, finding?.file, finding?.message]
}

test('a command that ends with 0 found nothing, and one that ends with 1 says what, where and what to do', async (t) => {
  assert.deepEqual(await scanned(t, 'echo "2 files, all fine"'), [])
  const json = `{"rule":"Key In Code","severity":"warning","file":"./lib/index.js","line":1,"message":"a key","fix":"Take it out."}`
  assert.deepEqual(await scanned(t, `echo '${json}'; exit 1`), [
    {
      rule: 'demo/key-in-code',
      severity: 'warning',
      file: 'lib/index.js',
      line: 1,
      message: 'a key',
      fix: 'Take it out.',
    },
  ])
  const asClamScan = 'echo "./lib/index.js: Eicar FOUND"; echo "Infected files: 1"; exit 1'
  assert.deepEqual(one(await scanned(t, asClamScan)), [1, 'demo/found', 'danger', 'lib/index.js', 'Eicar FOUND'])
  assert.equal((await scanned(t, 'exit 1')).length, 1, 'found without a word is found')
  assert.deepEqual(one(await scanned(t, `echo '{"file":"/etc/passwd","message":"x"}'; exit 1`)).slice(3), ['plugin.json', 'x'])
})

test('it is given the files in its working directory, as an argument and as a list, and nothing of them is left', async (t) => {
  const script = 'cd /; for path in $(cat); do grep -q EICAR "$1/$path" && echo "$path: found"; done; exit 1'
  assert.deepEqual(one(await scanned(t, script)), [1, 'demo/found', 'danger', 'lib/index.js', 'found'])
  assert.deepEqual(
    one(await scanned(t, 'test -f lib/index.js && echo "plugin.json: $KEY$SHLVL_NOT_THERE"; exit 1', { env: { KEY: 'k' } })),
    [1, 'demo/found', 'danger', 'plugin.json', 'k'],
  )
  assert.deepEqual(
    (await readdir(tmpdir())).filter((name) => name.startsWith('backplane-scan-')),
    [],
  )
})

test('no name of a file is an option of what it is handed to', async (t) => {
  const program = join(await temporaryDirectory(t), 'scanner')
  await writeFile(program, '#!/bin/sh\nwhile read -r path; do case "$path" in ./*) ;; *) exit 2 ;; esac; done; exit 0\n')
  await chmod(program, 0o755)
  const named = [{ path: '--help', bytes: Buffer.from('') }, ...files]
  assert.deepEqual(await commandScanner({ name: 'demo', argv: [program] })(named, signal), [])
  const broken = [{ path: 'a\nb', bytes: Buffer.from('') }]
  const [finding] = await commandScanner({ name: 'demo', argv: [program] })(broken, signal)
  assert.equal(finding?.rule, 'demo/not-run')
})

test('what goes wrong with it is a finding that refuses, and no silence', async (t) => {
  const why = async (script: string, more: Partial<ScannerCommand> = {}): Promise<string> => {
    const [finding, ...others] = await scanned(t, script, more)
    assert.deepEqual([finding?.rule, finding?.severity, others], ['demo/not-run', 'danger', []])
    return finding?.message ?? ''
  }
  assert.match(await why('echo no database >&2; exit 2'), /ended with 2: no database/)
  assert.match(await why('kill -9 $$'), /ended with SIGKILL/)
  assert.match(await why('sleep 60 & wait', { timeoutMs: 50 }), /took longer than 50 ms/)
  assert.match(await why('yes', { maxBytes: 1_000 }), /printed more than 1000 bytes/)
  assert.match(await why('', { argv: ['/nowhere/scanner'] }), /could not be started \(ENOENT\)/)
  assert.match(await why('', { argv: ['scanner'] }), /not named by an absolute path/)
})

test('in a sandbox it can write nothing but its own, sees nothing that is hidden, and has no network', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const hidden = await temporaryDirectory(t)
  await writeFile(join(hidden, 'secret'), 's')
  const script = `
    touch "$1/evil" 2>/dev/null && echo "plugin.json: it wrote into the package"
    touch /var/tmp/evil 2>/dev/null && echo "plugin.json: it wrote elsewhere"
    test -e ${hidden}/secret && echo "plugin.json: it sees what is hidden"
    grep -q : /proc/net/dev && test "$(grep -c : /proc/net/dev)" -gt 1 && echo "plugin.json: it has a network"
    test -f lib/index.js && echo "lib/index.js: it sees the package"
    exit 1`
  const sandbox = { program: '/usr/bin/bwrap', network: false, hide: [hidden] }
  const findings = await commandScanner({ name: 'demo', argv: ['/bin/sh', '-c', script, 'sh', '{directory}'], sandbox })(
    files,
    signal,
  )
  assert.deepEqual(
    findings.map(({ message }) => message),
    ['it sees the package'],
  )
  const inside = { ...sandbox, hide: [tmpdir()] }
  const [found] = await commandScanner({ name: 'demo', argv: ['/bin/sh', '-c', script, 'sh'], sandbox: inside })(files, signal)
  assert.equal(found?.message, 'it sees the package', 'also where copies lie in what is hidden')
  const [missing] = await commandScanner({ name: 'demo', argv: ['/nowhere/scanner'], sandbox })(files, signal)
  assert.deepEqual([missing?.rule, /bwrap: .*No such file/.test(missing?.message ?? '')], ['demo/not-run', true])
})

test('who gives up waiting ends it', async () => {
  const giving = new AbortController()
  const scan = commandScanner({ name: 'demo', argv: ['/bin/sleep', '60'] })(files, giving.signal)
  setTimeout(() => giving.abort(new Error('enough')), 50)
  await assert.rejects(scan, /enough/)
})
