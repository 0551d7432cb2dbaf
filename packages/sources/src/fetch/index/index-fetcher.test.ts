import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateKey, signJson } from '@backplane/trust'
import { packageArchive } from '../../fixtures/package-archive.ts'
import { serving } from '../../fixtures/serving.ts'
import { day, key, shelf, start } from './fixtures/shelf.ts'

const { signal } = new AbortController()
const options = { signal }

test('what a publisher wrote is found, told about, and fetched: from a folder and from any web server', async (t) => {
  const { folder, add, sign, reader } = await shelf(t)
  await add('s3', { description: 'Stores objects', tags: ['cloud'], permissions: ['net:connect s3.example:443'] })
  await add('s3', { version: '1.1.0', description: 'Stores objects', dependencies: [{ id: 'acme/b', range: '^1.0.0' }] })
  await add('disk', { tags: ['Local'] })
  const { version, added } = await sign({ deprecated: { 'acme/s3@1.0.0': 'it loses data' } })
  assert.deepEqual([version, added], [4, []])
  const web = await serving(t, async (request, response) => {
    const bytes = await readFile(join(folder, request.url ?? '')).catch(() => undefined)
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes)
  })
  const overWeb = reader({ indexes: { acme: { url: web.url, keys: [key.publicKey] } } })
  for (const fetcher of [reader(), overWeb]) {
    const { found, problems } = await fetcher.search('STORES cloud', options)
    assert.deepEqual([found, problems], [[], []], 'the newest version says it')
    assert.deepEqual((await fetcher.search('objects', options)).found, [
      { index: 'acme', id: 'acme/s3', latest: '1.1.0', description: 'Stores objects', asOf: new Date(start).toISOString() },
    ])
    assert.deepEqual(
      (await fetcher.search('', options)).found.map(({ id }) => id),
      ['acme/disk', 'acme/s3'],
    )
    const offers = await fetcher.versions('index:acme/s3@^1', options)
    assert.deepEqual(
      offers.map((one) => [one.version, one.publishedAtMs, one.deprecated]),
      [
        ['1.1.0', start, undefined],
        ['1.0.0', start, 'it loses data'],
      ],
    )
    const place = offers[1]?.place ?? assert.fail()
    const fetched = await fetcher.fetch(place, options)
    assert.equal(Reflect.get(Object(fetched.manifest), 'version'), '1.0.0')
    assert.equal(fetched.publishedAtMs, start)
    const { publishedAtMs: _, ...rest } = fetched
    assert.deepEqual(await fetcher.fetch({ ...place }, options), rest, 'what the lock keeps is enough')
    const { index, versions } = await fetcher.info('index:acme/s3', options)
    assert.deepEqual([index, versions['1.1.0']?.dependencies], ['acme', { 'acme/b': '^1.0.0' }])
    assert.deepEqual(versions['1.0.0']?.permissions, ['net:connect s3.example:443'])
    await assert.rejects(fetcher.versions('index:acme/s4', options), {
      code: 'FETCH_NOT_FOUND',
      message: /did you mean "acme\/s3"/,
    })
    await assert.rejects(fetcher.versions('index:acme/s3@^2', options), { code: 'FETCH_NOT_FOUND', message: /there are 1\.1\.0/ })
  }
})

test('advisories come with the index, and one index that fails hides no other', async (t) => {
  const { sign, reader, url, folder } = await shelf(t)
  const advisory = { id: 'ACME-1', plugin: 'acme/s3', versions: '<1.1', summary: 'It loses data', action: 'disable' } as const
  await sign({ advisories: [advisory] })
  await sign()
  const two = { acme: { url, keys: [key.publicKey] }, gone: { url: `${url}-gone`, keys: [key.publicKey] } }
  const { found, problems } = await reader({ indexes: two }).advisories(options)
  assert.deepEqual(found, [advisory])
  assert.deepEqual(
    problems.map(({ index, error }) => [index, error.code]),
    [['gone', 'FETCH_NOT_FOUND']],
  )
  await assert.rejects(sign({ advisories: [{ ...advisory, versions: 'x y' }] }), { code: 'TRUST_POLICY_INVALID' })
  assert.deepEqual((await readdir(folder)).sort(), ['.index.mutex', 'advisories.1.json', 'index.json'])
})

test('an index that was not signed by enough of its keys is not believed', async (t) => {
  const { add, reader, url, folder } = await shelf(t)
  const other = generateKey()
  await add('s3')
  await assert.rejects(reader({}, [other]).versions('index:acme/s3', options), {
    code: 'INDEX_UNSIGNED',
    message: `the index at ${folder}/index.json is signed by 0 of the 1 keys that must have signed it`,
  })
  const keys = [key.publicKey, other.publicKey]
  const both = reader({ indexes: { acme: { url, keys, threshold: 2 } } })
  await assert.rejects(both.versions('index:acme/s3', options), { code: 'INDEX_UNSIGNED', message: /1 of the 2/ })
  await add('s3', {}, { keys: [key.privateKey, other.privateKey] })
  assert.equal((await both.versions('index:acme/s3', options)).length, 1)
  await assert.rejects(add('s3', {}, { keys: [generateKey().privateKey] }), { code: 'INDEX_UNSIGNED' })
})

test('an index that ran out is refused, whatever the clock says once a later one was seen', async (t) => {
  const { add, sign, reader } = await shelf(t)
  await add('s3', {}, { validForMs: day })
  await assert.rejects(reader().versions('index:acme/s3', options), { code: 'INDEX_EXPIRED' })
  let nowMs = start
  const fetcher = reader({ now: () => nowMs })
  await fetcher.versions('index:acme/s3', options)
  await sign({ nowMs: start + 5 * day, validForMs: day })
  await fetcher.versions('index:acme/s3', options)
  nowMs = start + 6 * day
  await assert.rejects(fetcher.versions('index:acme/s3', options), { code: 'INDEX_EXPIRED' })
})

test('a name that every object knows is none for an index: nothing could be remembered of it', async (t) => {
  const { reader, url } = await shelf(t)
  for (const name of ['constructor', 'ACME', 'a:b', '']) {
    assert.throws(
      () => reader({ indexes: { [name]: { url, keys: [key.publicKey] } } }),
      { code: 'FETCH_REFERENCE_INVALID' },
      name,
    )
  }
})

test('an older index is refused, also after a restart where the memory is a file, and the file must be in order', async (t) => {
  const { add, reader, folder } = await shelf(t)
  const memory = join(folder, '..', 'seen.json')
  await add('s3')
  await cp(folder, `${folder}-old`, { recursive: true })
  await add('s3', { version: '1.1.0' })
  await reader({ memory }).versions('index:acme/s3', options)
  await rm(folder, { recursive: true })
  await cp(`${folder}-old`, folder, { recursive: true })
  await assert.rejects(reader({ memory }).versions('index:acme/s3', options), {
    code: 'INDEX_ROLLED_BACK',
    message: /has version 1, but version 2 was seen before/,
  })
  assert.equal((await reader().versions('index:acme/s3', options)).length, 1, 'nothing is remembered without a memory')
  await writeFile(memory, '{"memoryVersion":1,"indexes":{"acme":{}}}')
  await assert.rejects(reader({ memory }).versions('index:acme/s3', options), { code: 'INDEX_MEMORY_INVALID' })
})

test('a file that is not what was signed is refused, be it a list or an archive', async (t) => {
  const { add, reader, folder } = await shelf(t)
  await add('s3')
  const [offer] = await reader().versions('index:acme/s3', options)
  const archive = join(folder, 'archives/acme/s3-1.0.0.tgz')
  await writeFile(archive, packageArchive('s3', {}, { 'index.js': 'evil()' }))
  await assert.rejects(reader().fetch(offer?.place ?? assert.fail(), options), {
    code: 'FETCH_CHANGED',
    message: /archives\/acme\/s3/,
  })
  const list = join(folder, 'plugins/acme/s3.1.json')
  await writeFile(list, `${await readFile(list, 'utf8')} `)
  await assert.rejects(reader().versions('index:acme/s3', options), { code: 'FETCH_CHANGED' })
  await assert.rejects(add('s3', { version: '1.1.0' }), { code: 'FETCH_CHANGED' }, 'nor is it signed again')
  await rm(list)
  await assert.rejects(reader().versions('index:acme/s3', options), { code: 'FETCH_NOT_FOUND' })
})

test('a path that leads out of an index is refused, even where it was signed', async (t) => {
  const { add, forge, reader, folder } = await shelf(t)
  await add('s3')
  const digest = `sha256:${hash('sha256', 'secret')}`
  await writeFile(join(folder, '..', 'secret'), 'secret')
  for (const path of [
    '../secret',
    '/etc/passwd',
    'a/../../secret',
    '..\\secret',
    '%2e%2e/secret',
    'https://evil.example/x',
    'a//b',
    '',
  ]) {
    await forge((document) => ({ ...document, plugins: { 'acme/s3': { path, digest, latest: '1.0.0' } } }))
    await assert.rejects(reader().versions('index:acme/s3', options), { code: 'INDEX_PATH_ESCAPES' }, path)
    const place = { kind: 'index', index: 'acme', url: path, digest } as const
    await assert.rejects(reader().fetch(place, options), { code: 'INDEX_PATH_ESCAPES' }, path)
  }
  for (const url of ['file://host/index', 'file:index', 'file:///a%2fb', 'file:///a?b', 'http://r.example']) {
    assert.throws(() => reader({ indexes: { acme: { url, keys: [] } } }), { code: 'FETCH_ADDRESS_REFUSED' }, url)
  }
  assert.throws(() => reader({ indexes: { 'a:b': { url: 'file:///srv', keys: [] } } }), { code: 'FETCH_REFERENCE_INVALID' })
  const place = { kind: 'index', index: 'other', url: 'a', digest } as const
  await assert.rejects(reader().fetch(place, options), { code: 'FETCH_ADDRESS_REFUSED' })
})

test('an index of another shape is refused with the place in it', async (t) => {
  const { add, forge, reader, folder } = await shelf(t)
  await add('s3')
  await forge((document) => ({ ...document, expires: 'tomorrow' }))
  await assert.rejects(reader().versions('index:acme/s3', options), { code: 'INDEX_INVALID', message: /index\.json: expires: / })
  const signed = signJson('application/json', {}, [key.privateKey])
  for (const text of [JSON.stringify(signed), '{}', '[]']) {
    await writeFile(join(folder, 'index.json'), text)
    await assert.rejects(reader().versions('index:acme/s3', options), { code: 'INDEX_INVALID' }, text)
  }
  await writeFile(join(folder, 'index.json'), '{"a":1,"a":2}')
  await assert.rejects(reader().versions('index:acme/s3', options), { code: 'FETCH_RESPONSE_INVALID' })
  await assert.rejects(reader({ fileBytes: 4 }).versions('index:acme/s3', options), { code: 'FETCH_TOO_LARGE' })
})

test('what two indexes have is taken from neither until it is said from which', async (t) => {
  const [one, other] = [await shelf(t), await shelf(t)]
  await one.add('s3')
  await other.add('s3', { version: '9.9.9' })
  const indexes = { acme: { url: one.url, keys: [key.publicKey] }, world: { url: other.url, keys: [key.publicKey] } }
  const fetcher = one.reader({ indexes })
  await assert.rejects(fetcher.versions('index:acme/s3', options), {
    code: 'INDEX_AMBIGUOUS',
    hint: 'Say which one is meant: index:acme:acme/s3.',
  })
  assert.equal((await fetcher.versions('index:world:acme/s3', options))[0]?.version, '9.9.9')
  await rm(other.folder, { recursive: true })
  await assert.rejects(
    fetcher.versions('index:acme/s3', options),
    { code: 'FETCH_NOT_FOUND' },
    'none takes the place of one that is down',
  )
  for (const reference of [
    'index:',
    'index:s3',
    'index:Acme/S3',
    'index:../s3',
    'index:nope:acme/s3',
    'index:acme/s3@latest',
    'index:acme/s3@',
  ]) {
    await assert.rejects(fetcher.versions(reference, options), { code: 'FETCH_REFERENCE_INVALID' }, reference)
  }
})

test('an index counts as read for a while, and no longer than it lasts', async (t) => {
  const { add, reader, folder } = await shelf(t)
  let nowMs = start
  await add('s3', {}, { validForMs: 5_000 })
  const fetcher = reader({ now: () => nowMs, freshMs: 10_000 })
  const versions = async (): Promise<number> => (await fetcher.versions('index:acme/s3', options)).length
  assert.equal(await versions(), 1)
  await add('s3', { version: '1.1.0' }, { validForMs: 60_000 })
  assert.equal(await versions(), 1, 'as it was read')
  nowMs += 5_000
  assert.equal(await versions(), 2)
  await rm(join(folder, 'index.json'))
  nowMs += 9_999
  assert.equal(await versions(), 2)
  nowMs += 1
  await assert.rejects(versions(), { code: 'FETCH_NOT_FOUND' })
})

test('what an index warned of, and what it had, is known while it cannot be read, rolls back or ran out, also after a restart', async (t) => {
  const { add, sign, reader, folder, forge } = await shelf(t)
  const copies = join(folder, '..', 'copies')
  const memory = join(folder, '..', 'seen.json')
  const advisory = { id: 'ACME-1', plugin: 'acme/s3', versions: '*', summary: 'It loses data', action: 'disable' } as const
  await add('s3')
  await cp(folder, `${folder}-old`, { recursive: true })
  await sign({ advisories: [advisory] })
  const web = await serving(t, async (request, response) => {
    const bytes = await readFile(join(folder, request.url ?? '')).catch(() => undefined)
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes)
  })
  const served = (now = start + day): ReturnType<typeof reader> =>
    reader({ copies, memory, now: () => now, indexes: { acme: { url: web.url, keys: [key.publicKey] } } })
  assert.deepEqual(await served().keptAdvisories(), { found: [], problems: [] }, 'nobody was asked')
  assert.deepEqual(await served().advisories(options), { found: [advisory], problems: [] })
  assert.deepEqual(await served().keptAdvisories(), { found: [advisory], problems: [] })

  const stays = async (code: string, now?: number): Promise<void> => {
    const { found, problems } = await served(now).advisories(options)
    assert.deepEqual([found, problems.map(({ error }) => error.code)], [[advisory], [code]])
    const hits = await served(now).search('s3', options)
    assert.deepEqual([hits.found.map(({ id }) => id), hits.problems.map(({ error }) => error.code)], [['acme/s3'], [code]])
  }
  await stays('INDEX_EXPIRED', start + 365 * day)
  const { answer } = web
  web.answer = (_, response) => response.writeHead(404).end()
  await stays('FETCH_NOT_FOUND')
  web.answer = answer
  await cp(folder, `${folder}-new`, { recursive: true })
  await cp(`${folder}-old/index.json`, join(folder, 'index.json'))
  await stays('INDEX_ROLLED_BACK')
  await cp(`${folder}-new/index.json`, join(folder, 'index.json'))
  await forge((document) => ({ ...document, version: 9, advisories: { ...document.advisories, path: 'gone.json' } }))
  await stays('FETCH_NOT_FOUND')

  await rm(folder, { recursive: true })
  await cp(`${folder}-new`, folder, { recursive: true })
  for (let at = 0; at < 9; at += 1) await sign({ advisories: [] })
  assert.deepEqual(await served().advisories(options), { found: [], problems: [] }, 'its publisher took it back')
  await writeFile(join(copies, 'acme.json'), '{}')
  const damaged = await served().keptAdvisories()
  assert.deepEqual([damaged.found, damaged.problems.map(({ error }) => error.code)], [[], ['INDEX_MEMORY_INVALID']])
})
