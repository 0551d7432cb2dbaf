import assert from 'node:assert/strict'
import { test } from 'node:test'
import { json, serving } from '../../fixtures/serving.ts'
import { npmFetcher } from './npm-fetcher.ts'

const options = { signal: new AbortController().signal }

const hit = (name: string, more: object = {}): object => ({
  package: { name, version: '1.0.0', keywords: ['backplane-plugin', 'cloud'], ...more },
})

test('registries are searched for plugins, each for the names that are fetched from it', async (t) => {
  const own = await serving(
    t,
    json({ objects: [hit('@acme/s3', { description: 'Stores objects' }), hit('@other/s3'), hit('s3')] }),
  )
  const rest = await serving(t, json({ objects: [hit('@acme/s3', { version: '9.0.0' }), hit('@other/s3'), hit('plain')] }))
  const fetcher = npmFetcher({ registries: { '@acme': { url: own.url }, '*': { url: rest.url } } })
  const { found, problems } = await fetcher.search('stores & more', options)
  assert.deepEqual(
    found.map(({ registry, name, version }) => [registry, name, version]),
    [
      [own.url, '@acme/s3', '1.0.0'],
      [rest.url, '@other/s3', '1.0.0'],
      [rest.url, 'plain', '1.0.0'],
    ],
  )
  assert.deepEqual([found[0]?.description, found[0]?.tags, problems], ['Stores objects', ['cloud'], []])
  const asked = new URL(own.asked[0]?.url ?? '', own.url)
  assert.deepEqual([asked.pathname, asked.searchParams.get('text')], ['/-/v1/search', 'stores & more keywords:backplane-plugin'])
})

test('what says of itself no such thing, or is no package, is not shown', async (t) => {
  const wrong = [hit('@acme/s3', { keywords: ['cloud'] }), hit('../x'), hit('@acme/a', { version: 'latest' }), {}, null, 7]
  const registry = await serving(t, json({ objects: wrong }))
  const fetcher = npmFetcher({ registries: { '*': { url: registry.url } } })
  assert.deepEqual((await fetcher.search('', options)).found, [])
  registry.answer = json({})
  assert.deepEqual((await fetcher.search('', options)).found, [])
})

test('a registry that offers no search hides no other', async (t) => {
  const none = await serving(t, (_, response) => response.writeHead(404).end())
  const rest = await serving(t, json({ objects: [hit('plain')] }))
  const { found, problems } = await npmFetcher({ registries: { '@acme': { url: none.url }, '*': { url: rest.url } } }).search(
    'x',
    options,
  )
  assert.deepEqual(
    found.map(({ name }) => name),
    ['plain'],
  )
  assert.deepEqual(
    problems.map(({ registry, error }) => [registry, error.code]),
    [[none.url, 'FETCH_NOT_FOUND']],
  )
})

test('a registry that looks for words as they stand is asked for the word alone, and what is no plugin left out', async (t) => {
  const objects = [
    hit('@acme/s3', { version: undefined, 'dist-tags': { latest: '1.2.0' } }),
    hit('@acme/s4', { version: undefined }),
    hit('s3-client', { keywords: ['s3'] }),
  ]
  const registry = await serving(t, (request, response) => {
    const text = new URL(request.url ?? '', 'http://registry').searchParams.get('text') ?? ''
    json({ objects: text.includes('keywords:') ? [] : objects })(request, response)
  })
  const { found, problems } = await npmFetcher({ registries: { '*': { url: registry.url } } }).search('s3', options)
  assert.deepEqual(
    found.map(({ name, version }) => [name, version]),
    [
      ['@acme/s3', '1.2.0'],
      ['@acme/s4', undefined],
    ],
  )
  assert.deepEqual(problems, [])
})
