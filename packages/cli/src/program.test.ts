import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { compiledCode } from '@backplane/testing'
import { listening } from './fixtures/listening.ts'
import { backplane, type Ran, type RunOptions } from './fixtures/run-backplane.ts'
import { smallHost, type SmallHost } from './fixtures/small-host.ts'

const at = (host: SmallHost, args: string, options: RunOptions = {}): Promise<Ran> =>
  backplane(args.split(' '), { ...options, env: { BACKPLANE_SOCKET: host.socket, ...options.env } })

test('doctor tells what there is here without a host, and with one what that found', async (t) => {
  const here = JSON.parse((await backplane(['doctor', '--json'])).out)
  assert.ok(here.layers.length > 5)
  const layer = { mechanism: 'bubblewrap', detail: 'Shows nothing of the machine.' }
  const missing = {
    ...layer,
    layer: 'sandbox',
    available: false,
    missing: 'bwrap is missing',
    install: 'apt-get install bubblewrap',
  }
  const user = { ...layer, layer: 'service-user', available: false }
  const poor = await smallHost(t, { system: () => ({ sandbox: false, layers: [missing, user] }) })
  const told = await at(poor, 'doctor')
  assert.equal(told.code, 1)
  assert.match(
    told.out,
    /^LAYER +HERE +MECHANISM +WHAT IS MISSING +HOW TO GET IT\nsandbox +MISSING +bubblewrap +bwrap is missing +apt-get/,
  )
  assert.match(told.err, /^sandbox is missing\. Shows nothing of the machine\. Run: apt-get install bubblewrap\n$/)
  const rich = await smallHost(t, { system: () => ({ sandbox: true, layers: [{ ...missing, available: true }, user] }) })
  assert.equal((await at(rich, 'doctor')).code, 0)
  assert.equal((await at(rich, 'doctor --strict')).code, 1, 'with --strict every layer is needed')
  assert.deepEqual(JSON.parse((await at(rich, 'doctor --strict --json')).out).needed, ['service-user'])
  const silent = await smallHost(t)
  const nothing = await at(silent, 'doctor')
  assert.deepEqual([nothing.code, nothing.err], [1, 'the host does not say what it has to hold plugins with\n'])
})

test('top is looked at once where nobody sits, sorted, and goes on until a break on a terminal', async (t) => {
  const host = await smallHost(t)
  await host.kernel.plugins.start('demo/two')
  host.runtime.use('demo/two', { memoryBytes: 5 * 1024 ** 2, cpuMs: 1 })
  host.runtime.use('demo/one', { memoryBytes: 3 * 1024 ** 2, cpuMs: 2 })
  await host.clock.advance(1_000)
  const { out, code } = await at(host, 'top --sort memory')
  assert.equal(code, 0)
  assert.match(
    out,
    /^PLUGIN +VERSION +STATE +TIER .*\ndemo\/two +1\.0\.0 +active +contained +1 .* 5\.0 MiB .*\ndemo\/one .* 3\.0 MiB/,
  )
  const json = JSON.parse((await at(host, 'top --sort id --json')).out)
  assert.deepEqual([json.plugins[0].id, typeof json.plugins[0].calls_per_second], ['demo/one', 'number'])
  const screens: string[] = []
  const onOutput: RunOptions['onOutput'] = (text, breakOff) => {
    screens.push(text)
    if (screens.length === 2) breakOff()
  }
  assert.equal((await at(host, 'top --interval 0.1', { live: true, onOutput })).code, 0)
  assert.deepEqual([screens.length, screens.every((text) => text.startsWith('\u001B[H\u001B[2JPLUGIN'))], [2, true])
  const wrong = await at(host, 'top --sort memry')
  assert.deepEqual([wrong.code, /BACKPLANE_USAGE.*did you mean .?memory/i.test(wrong.err)], [2, true], wrong.err)
  assert.equal((await at(host, 'top --interval 0')).code, 2)
})

test('why prints each finding with its evidence and what to do', async (t) => {
  const host = await smallHost(t)
  host.runtime.violate('demo/one', { kind: 'grant', permission: 'exec sh', detail: 'spawn \u001B[31mrefused' })
  await host.clock.advance(0)
  const { out } = await at(host, 'why one')
  assert.match(out, /^✓ demo\/one 1\.0\.0 runs\.\n/)
  assert.match(
    out,
    /\n! It tried once what it was not granted\.\n {4}Its grants do not hold exec sh\.\n {4}· exec sh: spawn .*#\d+ .*\n {4}→ Grant it/,
  )
  assert.ok(!out.includes('\u001B'), 'what a plugin says does not steer the terminal')
  const unknown = await at(host, 'why onne')
  assert.deepEqual([unknown.code, /did you mean `demo\/one`/.test(unknown.err)], [66, true])
  assert.equal(JSON.parse((await at(host, 'why onne --json')).err).code, 'SERVER_PLUGIN_UNKNOWN')
})

test('a profile is written whole and for its owner alone, or to standard output', async (t) => {
  const host = await smallHost(t, {
    profile: async function* (kind, { durationMs }) {
      yield Buffer.from(`${kind} `)
      yield Buffer.from(String(durationMs))
    },
  })
  const path = join(host.directory, 'one.cpuprofile')
  const written = await at(host, `profile one --seconds 0.2 -o ${path}`)
  assert.deepEqual([written.code, written.out], [0, `${path} (7 B)\n`])
  assert.deepEqual([await readFile(path, 'utf8'), (await stat(path)).mode & 0o777], ['cpu 200', 0o600])
  assert.equal((await at(host, 'profile one --heap -o -')).out, 'heap 5000')
  const nowhere = await at(host, `profile one -o ${join(host.directory, 'no', 'where')}`)
  assert.deepEqual([nowhere.code, /BACKPLANE_FILE_UNWRITABLE.*ENOENT/.test(nowhere.err)], [73, true])
  const idle = await at(host, `profile two -o ${join(host.directory, 'two')}`)
  assert.deepEqual([idle.code, /PROFILE_NOT_RUNNING/.test(idle.err)], [69, true])
  assert.deepEqual(
    (await readdir(host.directory)).filter((name) => /two|part/.test(name)),
    [],
  )
  assert.equal((await at(host, 'profile one --cpu --heap')).code, 2)
  assert.equal((await at(host, 'profile one --seconds 90')).code, 2)
})

test('versions are listed, rolled back, pinned and let in again', async (t) => {
  const host = await smallHost(t)
  await host.put('2.0.0')
  assert.match((await at(host, 'plugins')).out, /\ndemo\/one +2\.0\.0 +loaded +active/)
  assert.match((await at(host, 'rollback one')).out, /\nversion +1\.0\.0\n/)
  assert.match((await at(host, 'plugins list')).out, /\ndemo\/one +1\.0\.0 .* 2\.0\.0 rolled back\n/)
  assert.match((await at(host, 'history one')).out, /^VERSION +OUTCOME .*\n1\.0\.0 +serving .*\n2\.0\.0 +rolled back /)
  assert.match((await at(host, 'pin one')).out, /\npinned +1\.0\.0\n/)
  await host.put('3.0.0')
  assert.equal(JSON.parse((await at(host, 'plugins show one --json')).out).version, '1.0.0')
  assert.match((await at(host, 'unpin one')).out, /\nversion +3\.0\.0\n/)
  const gone = await at(host, 'pin one 9.9.9')
  assert.match(gone.err, /VERSION_GONE/)
  assert.notEqual(gone.code, 0)
  const free = await at(host, 'release one')
  assert.deepEqual([free.code, /PLUGIN_NOT_QUARANTINED/.test(free.err)], [65, true])
})

test('events follow a host from where one says until a break, of one plugin if wanted', async (t) => {
  const host = await smallHost(t)
  const lines: string[] = []
  const args = ['events', '--since', '0', '--plugin', 'demo/one', '--json', '--socket', host.socket]
  const onOutput: RunOptions['onOutput'] = (text, breakOff) => {
    lines.push(text)
    if (text.includes('"to":"disabled"')) breakOff()
  }
  const followed = backplane(args, { onOutput })
  await host.kernel.plugins.disable('demo/one')
  assert.equal((await followed).code, 0)
  assert.ok(lines.length >= 3 && lines.every((line) => JSON.parse(line).data.plugin === 'demo/one'))
  lines.length = 0
  assert.equal((await backplane(args.with(4, 'one'), { onOutput })).code, 0, 'the part after the slash is enough, as everywhere')
  assert.ok(lines.length >= 3)
})

test('over TCP the token comes from its file, and what is wrong about the address is named', async (t) => {
  const host = await smallHost(t)
  const run = (args: string): Promise<Ran> => backplane(args.split(' '))
  assert.equal((await run(`plugins --url ${host.url} --token-file ${host.tokenFile}`)).code, 0)
  const cases: [string, number, RegExp][] = [
    [`plugins --url ${host.url}`, 77, /SERVER_TOKEN_MISSING/],
    [`plugins --url ${host.url} --token-file /nowhere/token`, 77, /BACKPLANE_TOKEN_UNREADABLE.*ENOENT/],
    [`plugins --url ${host.url} --token-file /proc/self/status`, 77, /BACKPLANE_TOKEN_UNREADABLE.*holds no token/],
    [`plugins --url http://192.0.2.1:1 --token-file ${host.tokenFile}`, 2, /CLIENT_TOKEN_EXPOSED.*everybody/],
    [`plugins --url http://localhost.example:1 --token-file ${host.tokenFile}`, 2, /CLIENT_TOKEN_EXPOSED/],
    ['plugins --url ftp://x', 2, /BACKPLANE_URL_INVALID/],
    ['plugins', 2, /BACKPLANE_HOST_UNSAID/],
    ['plugins --socket /nowhere/api.sock', 69, /CLIENT_UNREACHABLE.*ENOENT/],
    [`plugins --socket ${host.socket} --timeout x`, 2, /BACKPLANE_USAGE/],
    ['pluggins', 2, /BACKPLANE_USAGE.*Did you mean plugins/],
  ]
  for (const [args, code, err] of cases) {
    const ran = await run(args)
    assert.deepEqual([args, ran.code, err.test(ran.err)], [args, code, true], ran.err)
  }
})

test('tokens are made for somebody, listed, used from a file and revoked', async (t) => {
  const host = await smallHost(t)
  const run = (args: string): Promise<Ran> => backplane(args.split(' '))
  const created = await at(host, 'tokens create ci --scope operate --expires 12h --plugins demo/one other/*')
  assert.match(created.out, /^[\w-]{43}\n$/, 'nothing else is written, so that it can go into a file')
  assert.match(created.err, /^ci may operate until 20\S+Z, for demo\/one, other\/\*\. This is the only time/)
  const file = join(host.directory, 'ci.token')
  await writeFile(file, created.out, { mode: 0o600 })
  const own = await run(`plugins --url ${host.url} --token-file ${file}`)
  assert.match(own.out, /demo\/one/)
  assert.doesNotMatch(own.out, /demo\/two/)
  const refused = await run(`profile one --url ${host.url} --token-file ${file}`)
  assert.deepEqual([refused.code, /SERVER_SCOPE_REFUSED/.test(refused.err)], [77, true])
  assert.match((await at(host, 'tokens')).out, /^NAME +SCOPE +PLUGINS +CREATED +EXPIRES\nci +operate +demo\/one, other\/\* +20/)
  const json = await at(host, 'tokens create forever --json')
  assert.deepEqual([JSON.parse(json.out).expires_at, JSON.parse(json.out).token.length, json.err], [null, 43, ''])
  assert.deepEqual(JSON.parse((await at(host, 'tokens list --json')).out).count, 2)
  const twice = await at(host, 'tokens create ci')
  assert.deepEqual([twice.code, /SERVER_TOKEN_EXISTS/.test(twice.err)], [1, true])
  assert.equal((await at(host, 'tokens revoke ci')).out, 'ci revoked\n')
  const ended = await run(`plugins --url ${host.url} --token-file ${file}`)
  assert.deepEqual([ended.code, /SERVER_TOKEN_REFUSED/.test(ended.err)], [77, true])
  const unknown = await at(host, 'tokens revoke forver')
  assert.deepEqual([unknown.code, /did you mean `forever`/.test(unknown.err)], [66, true])
  for (const wrong of [
    '--scope reed',
    '--expires soon',
    '--expires 0d',
    '--expires 2020-01-01T00:00:00Z',
    '--expires 2099-01-01',
  ]) {
    const ran = await at(host, `tokens create x ${wrong}`)
    assert.deepEqual([ran.code, /BACKPLANE_USAGE/.test(ran.err)], [2, true], wrong)
  }
})

test('a socket that is not ours is told', async (t) => {
  const host = await smallHost(t)
  // Root may use every socket.
  if (process.getuid?.() === 0) return
  await chmod(host.socket, 0o000)
  const ran = await at(host, 'plugins')
  assert.deepEqual([ran.code, /CLIENT_SOCKET_REFUSED/.test(ran.err)], [77, true])
})

test('what answers, and is no host, is told from one that is slow or goes away', async (t) => {
  const other = async (listener: RequestListener, more = ''): Promise<Ran> =>
    backplane(`plugins --url ${await listening(t, listener)}${more}`.split(' '))
  const page = await other((_request, response) => void response.end('<html>'))
  assert.deepEqual([page.code, /CLIENT_ANSWER_INVALID/.test(page.err)], [69, true])
  const slow = await other(() => undefined, ' --timeout 0.2')
  assert.deepEqual([slow.code, /CLIENT_TIMEOUT/.test(slow.err)], [75, true])
  const lost = await other((request) => request.socket.destroy())
  assert.deepEqual([lost.code, /CLIENT_CONNECTION_LOST/.test(lost.err)], [75, true])
  const refused = await other((_request, response) => void response.writeHead(500).end('{}'))
  assert.deepEqual([refused.code, /CLIENT_ANSWER_INVALID/.test(refused.err)], [69, true])
  const odd = await other((_request, response) => void response.end('{}'))
  assert.deepEqual([odd.code, odd.out], [70, ''])
  assert.match(odd.err, /^BACKPLANE_DEFECT: backplane cannot go on: [^\n]+\nCompare `backplane --version`[^\n]+\n$/)
})

test('every verb has help with examples', async () => {
  const verbsOf = async (path: readonly string[]): Promise<string[][]> => {
    const { code, out, err } = await backplane([...path, '--help'])
    assert.deepEqual([path, code, err, out.includes('\nExamples:\n  backplane ')], [path, 0, '', true])
    const [, commands = ''] = /\nCommands:\n([^]*?)\n\n/.exec(out) ?? []
    const verbs = [...commands.matchAll(/^ {2}([\w-]+)/gm)].map(([, verb = '']) => verb).filter((verb) => verb !== 'help')
    return [[...path], ...(await Promise.all(verbs.map((verb) => verbsOf([...path, verb])))).flat()]
  }
  const all = (await verbsOf([])).map((path) => path.join(' '))
  for (const verb of ['doctor', 'unpin', 'plugins show', 'tokens create']) assert.ok(all.includes(verb), all.join(', '))
  assert.match((await backplane([])).err, /Usage: backplane/)
  assert.match((await backplane(['--version'])).out, /^\d+\.\d+\.\d+\n$/)
})

test('that nobody hears what went wrong does not change how it ends', async () => {
  const program = fileURLToPath(new URL('./backplane.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@backplane/source', program, 'frobnicate'], { env: { ...compiledCode } })
  child.stderr.destroy()
  assert.deepEqual(await once(child, 'exit'), [2, null])
})
