import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { textWidth } from '@backplane/terminal'
import { hyperctl } from './fixtures/captured-terminal.ts'
import { json, scriptedDaemon, stream } from './fixtures/scripted-daemon.ts'
import { progressLine } from './terminal/progress-line.ts'

const problem = { type: 'x', title: 'x', status: 409, detail: 'it is busy', code: 'JOB_BUSY', hint: 'Wait.', retryable: false }
const progress = {
  phase: 'transfer',
  bytes_downloaded: 1_610_612_736,
  total_bytes: 3_221_225_472,
  percent_complete: 50,
  estimated_remaining: 65,
  bytes_per_second: 104_857_600,
}
const job = {
  definition: { id: 'j1', provider: 'p', vm_id: 'v', format: 'raw' },
  status: 'completed',
  progress,
  result: { files: ['/exports/v.raw'], checksum: 'ab', total_size: 3_221_225_472 },
  error: null,
  failure: null,
  started_at: null,
}
const event = (id: number, name: string, data: unknown): { id: number; event: string; data: unknown } => ({
  id,
  event: name,
  data,
})
const running = event(1, 'progress', { status: 'running', progress, error: null })

test('an answer’s problem is told with its hint and becomes the exit code', async (t) => {
  const cases: [number, boolean, number][] = [
    [400, false, 2],
    [401, false, 77],
    [403, false, 77],
    [404, false, 66],
    [409, false, 1],
    [409, true, 75],
    [413, false, 65],
    [421, false, 77],
    [422, false, 65],
    [429, true, 75],
    [500, false, 70],
    [503, false, 69],
  ]
  let current = problem
  const { socket } = await scriptedDaemon(t, (_request, response) => json(response, current.status, current))
  for (const [status, retryable, code] of cases) {
    current = { ...problem, status, retryable }
    const ran = await hyperctl(socket, ['status'])
    assert.deepEqual(ran, { code, out: '', err: 'JOB_BUSY: it is busy\nWait.\n' })
  }
  const asJson = await hyperctl(socket, ['status', '--json'])
  assert.deepEqual([asJson.out, JSON.parse(asJson.err)], ['', current])
})

test('what is not the API, too slow or unreadable is told apart', async (t) => {
  const { socket } = await scriptedDaemon(t, (request, response) => {
    if (request.path === '/status') response.end('<html>')
    else if (request.path === '/api/events') response.writeHead(200).end('data: <html>\n\n')
    else if (request.path === '/api/plugins') response.writeHead(404, { 'content-type': 'text/html' }).end('no')
  })
  for (const verb of ['status', 'plugins', 'events']) {
    const { code, err } = await hyperctl(socket, [verb])
    assert.deepEqual([code, err.split(':')[0]], [69, 'CLIENT_ANSWER_INVALID'], verb)
  }
  const slow = await hyperctl(socket, ['providers', '--timeout', '0.05'])
  assert.deepEqual([slow.code, slow.err.split(':')[0]], [75, 'CLIENT_TIMEOUT'])
  const missing = await hyperctl(socket, ['submit', '/nonexistent.yaml'])
  assert.deepEqual([missing.code, missing.err.split(':')[0]], [66, 'CLI_INPUT_UNREADABLE'])
  const file = join(dirname(socket), 'plain')
  await writeFile(file, '')
  assert.equal((await hyperctl(file, ['status'])).code, 69)
  if (process.getuid?.() !== 0) {
    await chmod(socket, 0o000)
    assert.equal((await hyperctl(socket, ['status'])).err.split(':')[0], 'CLIENT_SOCKET_REFUSED')
  }
})

test('what the daemon does not know is told with the verb that lists it', async (t) => {
  let code = ''
  const { socket } = await scriptedDaemon(t, (_request, response) => {
    json(response, 404, { ...problem, status: 404, code, hint: 'Use GET /x.' })
  })
  const verbs = {
    PROVIDER_UNKNOWN: 'providers',
    PROVIDER_MACHINE_UNKNOWN: 'vms list',
    JOB_UNKNOWN: 'query',
    SERVER_PLUGIN_UNKNOWN: 'plugins',
  }
  for (const [unknown, verb] of Object.entries(verbs)) {
    code = unknown
    const ran = await hyperctl(socket, ['status'])
    assert.equal(ran.code, 66)
    assert.match(ran.err, new RegExp(`\nRun \`hyperctl ${verb}\``))
  }
})

test('what the daemon says does not steer the terminal, neither in an error nor as JSON', async (t) => {
  const esc = '\u001B]0;owned\u0007\u009B2J'
  const { socket } = await scriptedDaemon(t, (request, response) => {
    if (request.path === '/status') json(response, 409, { ...problem, status: 409, code: esc, detail: `a\n${esc}`, hint: esc })
    else json(response, 200, { plugins: [{ id: esc, [esc]: esc }] })
  })
  for (const args of ['status', 'status --json', 'plugins', 'plugins --json', 'plugins get x']) {
    const { out, err } = await hyperctl(socket, args.split(' '))
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    assert.doesNotMatch(out + err, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/, args)
    assert.ok(!err.includes('CLI_DEFECT'), err)
  }
})

test('whatever a daemon answers to a verb, its ids and words do not steer the terminal', async (t) => {
  const esc = '\u001B]0;owned\u0007\u009B2J'
  const ended = {
    ...job,
    definition: { ...job.definition, id: esc },
    status: esc,
    error: esc,
    result: { ...job.result, files: [esc], checksum: esc },
  }
  const line = { seq: 1, time: esc, level: esc, message: esc }
  const answers: Readonly<Record<string, unknown>> = {
    '/jobs/cancel': { cancelled: [esc], errors: { [esc]: esc } },
    '/jobs/submit': { job_ids: [esc], accepted: 1, rejected: 1, errors: [{ index: 0, code: esc, error: esc, hint: esc }] },
    '/jobs/logs/x': { logs: [line] },
    '/api/plugins/reload': { added: [esc], updated: [], removed: [], unchanged: 0, failed: [{ id: esc, reason: esc }] },
  }
  const { socket } = await scriptedDaemon(t, (request, response) => {
    const path = request.path.replace(/\?.*/, '')
    if (answers[path] !== undefined) return json(response, 200, answers[path])
    const file = event(2, 'file', { path: esc, status: esc })
    stream(response, [event(1, 'progress', { status: esc, progress: null }), event(1, 'log', line), file, event(3, 'end', ended)])
    response.end()
  })
  for (const args of ['cancel x', 'submit --provider p --vm v', 'logs x', 'plugins reload', 'watch x', 'verify x']) {
    const { out, err } = await hyperctl(socket, args.split(' '))
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    assert.doesNotMatch(out + err, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/, args)
    assert.ok((out + err).includes('\uFFFD') && !err.includes('CLI_DEFECT'), err)
  }
})

test('a line that is replaced is cut as the terminal counts, also in the middle of wide characters', () => {
  const phase = '変換しています'.repeat(10)
  for (const columns of [40, 41, 80]) {
    const line = progressLine({ ...progress, percent_complete: null, phase }, columns)
    assert.ok(textWidth(line) < columns && line.endsWith('…'), line)
  }
})

test('a job that is asked for and not there is told', async (t) => {
  const { socket } = await scriptedDaemon(t, (_request, response) => json(response, 200, { jobs: [job], total: 1 }))
  assert.equal((await hyperctl(socket, ['query', 'j1'])).code, 0)
  const { code, out, err } = await hyperctl(socket, ['query', 'j1', 'j2'])
  assert.deepEqual([code, err], [66, 'there is no job j2\n'])
  assert.match(out, /\nj1 +completed /)
})

test('an answer that hyperctl cannot handle is a coded error, not a stack trace', async (t) => {
  const { socket } = await scriptedDaemon(t, (_request, response) => json(response, 200, {}))
  const { code, out, err } = await hyperctl(socket, ['plugins'])
  assert.deepEqual([code, out], [70, ''])
  assert.match(err, /^CLI_DEFECT: hyperctl cannot go on: [^\n]+\nCompare `hyperctl --version`[^\n]+\n$/)
})

test('a submission whose connection breaks is sent again under the same key', async (t) => {
  const { socket, seen } = await scriptedDaemon(t, (_request, response, nth) => {
    if (nth === 1) response.destroy()
    else json(response, 202, { job_ids: ['j1'], accepted: 1, rejected: 0 })
  })
  const { code, out } = await hyperctl(socket, ['submit', '--provider', 'p', '--vm', 'v', '--compress'])
  assert.deepEqual([code, out], [0, 'j1\n'])
  const [first, second] = seen
  assert.deepEqual(JSON.parse(String(first?.body)), { provider: 'p', vm_id: 'v', compress: true })
  assert.ok(first?.headers['idempotency-key'])
  assert.equal(first.headers['idempotency-key'], second?.headers['idempotency-key'])
  assert.equal(second?.body, first.body)
})

test('a connection that breaks twice is told', async (t) => {
  const { socket } = await scriptedDaemon(t, (_request, response) => response.destroy())
  for (const args of ['cancel j1', 'status']) {
    const { code, err } = await hyperctl(socket, args.split(' '))
    assert.deepEqual([code, err.split(':')[0]], [75, 'CLIENT_CONNECTION_LOST'])
  }
})

test('watching goes on where it was when the daemon comes back', async (t) => {
  const { socket, seen } = await scriptedDaemon(t, (_request, response, nth) => {
    if (nth === 1) {
      stream(response, [event(7, 'log', { message: 'started' }), { ...running, id: 7 }])
      setImmediate(() => response.destroy())
    } else {
      stream(response, [event(8, 'log', { message: 'again' }), event(8, 'end', job)])
      response.end()
    }
  })
  const { code, out, err } = await hyperctl(socket, ['watch', 'j1'])
  assert.deepEqual([code, out], [0, 'ab  /exports/v.raw\n'])
  assert.match(err, /started\n[^]*the daemon went away[^]*again\njob j1 completed \(3\.0 GiB\)\n/)
  assert.equal(seen[1]?.headers['last-event-id'], '7')
})

test('a daemon that is back counts as back although nothing happens then', async (t) => {
  const daemon = await scriptedDaemon(t, (_request, response, nth) => {
    stream(response, nth === 1 ? [running] : nth === 2 ? [] : [event(2, 'end', job)])
    if (nth < 3) response.end()
  })
  const { code, err } = await hyperctl(daemon.socket, ['watch', 'j1'])
  assert.equal(code, 0)
  assert.equal(err.match(/the daemon went away/g)?.length, 2, err)
})

test('a terminal gets one line that is replaced, with bar, rate and time left; others get a line for each step', async (t) => {
  const { socket } = await scriptedDaemon(t, (_request, response) => {
    const failed = {
      ...job,
      status: 'failed',
      result: null,
      error: 'no space\u001B[2J',
      failure: { code: 'X', hint: 'Make room.' },
    }
    stream(response, [running, running, event(1, 'end', failed)])
    response.end()
  })
  const line = '████████████░░░░░░░░░░░░  50%  1.5 GiB of 3.0 GiB  100.0 MiB/s  eta 1m05s  transfer'
  const live = await hyperctl(socket, ['watch', 'j1'], { live: true })
  assert.ok(live.err.startsWith(`\r\u001B[K${line}\r\u001B[K${line}\njob j1 failed: no space\uFFFD[2J\nMake room.\n`), live.err)
  assert.deepEqual([live.code, live.out], [1, ''])
  const plain = await hyperctl(socket, ['watch', 'j1'])
  assert.equal(plain.err, `${line}\njob j1 failed: no space\uFFFD[2J\nMake room.\n`)
  const colored = await hyperctl(socket, ['watch', 'j1'], { colors: true })
  assert.ok(colored.err.includes('job j1 \u001B[31mfailed\u001B[39m'))
  const asJson = await hyperctl(socket, ['watch', 'j1', '--json'])
  assert.deepEqual(
    asJson.out
      .trim()
      .split('\n')
      .map((one) => JSON.parse(one))
      .map((one) => [one.job, one.event]),
    [
      ['j1', 'progress'],
      ['j1', 'progress'],
      ['j1', 'end'],
    ],
  )
})

test('a machine’s name cannot steer the terminal', async (t) => {
  const vm = {
    id: 'v',
    name: '\u001B]0;owned\u0007\u202Ename',
    state: 'running',
    location: '',
    num_cpus: 2,
    memory_mb: 512,
    storage_gb: 20,
  }
  const { socket } = await scriptedDaemon(t, (_request, response) => json(response, 200, { vms: [vm] }))
  const { out } = await hyperctl(socket, ['vms', 'list', 'p'])
  assert.match(out, /^v +\uFFFD\]0;owned\uFFFD\uFFFDname +running +2 +512\.0 MiB +20\.0 GiB +-$/m)
})

test('a plugin in quarantine is listed with why it is there', async (t) => {
  const reason = 'memory: held 130 MiB of 96 MiB'
  const plugin = {
    id: 'a/b',
    version: '1.0.0',
    type: 'b',
    status: 'failed',
    state: 'quarantined',
    tier: null,
    generation: 3,
    reason,
  }
  const { socket } = await scriptedDaemon(t, (_request, response) =>
    json(response, 200, { plugins: [{ ...plugin, update: null }] }),
  )
  assert.match(
    (await hyperctl(socket, ['plugins'])).out,
    /^a\/b +1\.0\.0 +b +failed +quarantined +\S+ +3 +memory: held 130 MiB of 96 MiB$/m,
  )
})

test('ids and texts are sent as one part of the path', async (t) => {
  const { socket, seen } = await scriptedDaemon(t, (_request, response) => json(response, 200, { vms: [], plugins: [] }))
  const runs = [
    ['vms', 'get', 'lab one', '/dc/vm/../x?y'],
    ['plugins', 'get', 'hypersdk/libvirt'],
    ['plugins', 'remove', 'a/b', '--keep-state'],
    ['plugins', 'release', 'a/b'],
    ['vms', 'search', 'lab', 'a&b', 'c'],
  ]
  for (const args of runs) await hyperctl(socket, args)
  assert.deepEqual(
    seen.map(({ method, path }) => `${method} ${path}`),
    [
      'GET /api/providers/lab%20one/vms/%2Fdc%2Fvm%2F..%2Fx%3Fy',
      'GET /api/plugins/hypersdk%2Flibvirt',
      'DELETE /api/plugins/a%2Fb?keep_state=true',
      'POST /api/plugins/a%2Fb/release',
      'GET /api/providers/lab/vms/search?q=a%26b+c',
    ],
  )
})
