import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hyperctl } from './fixtures/captured-terminal.ts'

test('no daemon is told with how to start one', async () => {
  const { code, out, err } = await hyperctl('/nonexistent/s.sock', ['plugins'])
  assert.deepEqual([code, out], [69, ''])
  assert.match(err, /^CLIENT_UNREACHABLE: .*\/nonexistent\/s\.sock \(ENOENT\)\nStart hypervisord with `hypervisord`/)
})

test('the default socket is below XDG_RUNTIME_DIR, or else in the data directory', async () => {
  const where = async (env: Record<string, string>): Promise<string> => (await hyperctl('', ['status'], { env })).err
  assert.match(await where({ XDG_RUNTIME_DIR: '/nonexistent/run' }), / \/nonexistent\/run\/hypersdk\/hypervisord\.sock /)
  assert.match(await where({ HOME: '/nonexistent' }), / \/nonexistent\/\.local\/share\/hypersdk\/hypervisord\.sock /)
})

test('a misspelt verb, option or argument is a usage error that names the nearest', async () => {
  const cases: [string, RegExp][] = [
    ['plugns', /^CLI_USAGE: unknown command 'plugns' \(Did you mean plugins\?\)\nRun the command with --help/],
    ['plugins relod', /CLI_USAGE: plugins has no verb "relod"; did you mean "reload"\?/],
    ['vms lst', /Did you mean list\?/],
    ['plugins --jsn', /Did you mean --json\?/],
    ['query --status runing', /CLI_USAGE: --status runing is none of pending, .*; did you mean "running"\?/],
    ['watch', /missing required argument 'job'/],
    ['submit', /CLI_USAGE: give a file, or --provider and --vm/],
    ['submit a.yaml --provider x', /CLI_USAGE: --provider and a file exclude each other/],
    ['query --limit ten', /CLI_USAGE: --limit ten is not a whole number/],
    ['logs j1 --since -1', /CLI_USAGE: --since -1 is not a whole number/],
    ['status --socket s --url http://x', /CLI_USAGE: .*--url.* cannot be used with .*--socket/],
    ['status --timeout soon', /CLI_USAGE: --timeout soon/],
    ['status --url ftp://x', /CLI_URL_INVALID: ftp:\/\/x/],
    ['vms', /Usage: hyperctl vms/],
  ]
  for (const [args, expected] of cases) {
    const { code, out, err } = await hyperctl('/nonexistent', args.split(' '))
    assert.deepEqual([code, out], [2, ''], args)
    assert.match(err, expected)
  }
})

test('every verb has help with examples, which is data', async () => {
  const verbsOf = async (path: readonly string[]): Promise<string[][]> => {
    const { code, out, err } = await hyperctl('/nonexistent', [...path, '--help'])
    assert.deepEqual([code, err], [0, ''], path.join(' '))
    assert.match(out, /Examples:\n {2}hyperctl /, path.join(' '))
    const [, commands = ''] = /\nCommands:\n([^]*?)\n\n/.exec(out) ?? []
    const verbs = [...commands.matchAll(/^ {2}(\w+)/gm)].map(([, verb = '']) => verb).filter((verb) => verb !== 'help')
    return [[...path], ...(await Promise.all(verbs.map((verb) => verbsOf([...path, verb])))).flat()]
  }
  const all = await verbsOf([])
  assert.ok(all.length > 20, String(all.length))
  assert.match((await hyperctl('', ['--version'])).out, /^\d+\.\d+\.\d+\n$/)
})

test('with --json an error of usage is JSON too', async () => {
  for (const args of [
    ['plugns', '--json'],
    ['--json', 'watch'],
    ['query', '--limit', 'x', '--json'],
    ['plugins', '--jsn', '--json'],
  ]) {
    const { code, out, err } = await hyperctl('/nonexistent', args)
    assert.deepEqual([code, out, JSON.parse(err).code], [2, '', 'CLI_USAGE'], args.join(' '))
  }
})
