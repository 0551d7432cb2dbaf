import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { fits } from './fits.ts'
import type { Release, Resolution, Universe, Wish } from './release.ts'
import { resolveReleases } from './resolve-releases.ts'

type Part = Partial<Omit<Release, 'id' | 'version' | 'dependencies'>> & { readonly needs?: Readonly<Record<string, string>> }

/** `a@1.0.0` → what it says of itself. Versions best first, as they stand. */
function universeOf(releases: Readonly<Record<string, Part>>): Universe & { readonly asked: string[] } {
  const asked: string[] = []
  const all = Object.entries(releases).map(([key, { needs = {}, ...part }]): Release => {
    const [id = '', version = ''] = key.split('@')
    const dependencies = Object.entries(needs).map(([name, range]) => {
      const optional = name.endsWith('?')
      return { id: name.replace('?', ''), range, optional }
    })
    const { api = '*', provides = {}, requires = {} } = part
    return { id, version, api, provides, requires, dependencies }
  })
  return {
    asked,
    versions: async (id) => {
      asked.push(`versions ${id}`)
      return all.filter((release) => release.id === id).map(({ version }) => version)
    },
    release: async (id, version) => {
      asked.push(`${id} ${version}`)
      const found = all.find((release) => release.id === id && release.version === version)
      if (found === undefined || found.api === 'broken') throw new Error('the archive is damaged')
      return found
    },
    providers: async (capability) => [
      ...new Set(all.filter(({ provides }) => Object.hasOwn(provides, capability)).map(({ id }) => id)),
    ],
  }
}

function resolve(
  universe: Universe,
  wishes: readonly string[],
  prefer: Readonly<Record<string, string>> = {},
): Promise<Resolution> {
  const wished = wishes.map((text): Wish => {
    const [id = '', range = '*'] = text.split('@')
    return { id, range, by: 'you' }
  })
  return resolveReleases({ wishes: wished, universe, hostApi: '1.2.0', prefer: new Map(Object.entries(prefer)) })
}

function namesOf(resolution: Resolution): readonly string[] {
  if (!resolution.ok) assert.fail(resolution.conflict.chain.join('; '))
  return resolution.releases.map(({ id, version }) => `${id}@${version}`)
}

async function conflictOf(
  answer: Promise<Resolution>,
): Promise<{ readonly chain: readonly string[]; readonly fix: string | undefined }> {
  const resolution = await answer
  if (resolution.ok) assert.fail('it was resolved')
  return resolution.conflict
}

test('the best versions that fit are chosen, what others need first', async () => {
  const universe = universeOf({ 'a@1.1.0': { needs: { b: '^1' } }, 'a@1.0.0': {}, 'b@2.0.0': {}, 'b@1.3.0': {}, 'b@1.2.0': {} })
  assert.deepEqual(namesOf(await resolve(universe, ['a'])), ['b@1.3.0', 'a@1.1.0'])
})

test('an older version is taken where the newest does not fit with the others', async () => {
  const universe = universeOf({
    'a@1.1.0': { needs: { c: '^2' } },
    'a@1.0.0': { needs: { c: '^1' } },
    'b@1.0.0': { needs: { c: '^1' } },
    'c@2.0.0': {},
    'c@1.0.0': {},
  })
  assert.deepEqual(namesOf(await resolve(universe, ['a', 'b'])), ['c@1.0.0', 'a@1.0.0', 'b@1.0.0'])
})

test('what is preferred stays, and nothing else is asked for', async () => {
  const universe = universeOf({ 'a@2.0.0': {}, 'a@1.0.0': { needs: { b: '^1' } }, 'b@1.1.0': {}, 'b@1.0.0': {} })
  assert.deepEqual(namesOf(await resolve(universe, ['a'], { a: '1.0.0', b: '1.0.0' })), ['b@1.0.0', 'a@1.0.0'])
  assert.deepEqual(universe.asked, ['a 1.0.0', 'b 1.0.0'])
})

test('a preferred version that does not fit any more moves', async () => {
  const universe = universeOf({ 'a@2.0.0': { needs: { b: '^2' } }, 'b@2.0.0': {}, 'b@1.0.0': {} })
  assert.deepEqual(namesOf(await resolve(universe, ['a'], { b: '1.0.0' })), ['b@2.0.0', 'a@2.0.0'])
})

test('versions for another API of the host, and those that cannot be had, are left out', async () => {
  const universe = universeOf({ 'a@3.0.0': { api: '^2' }, 'a@2.0.0': { api: 'broken' }, 'a@1.0.0': { api: '^1.1' } })
  assert.deepEqual(namesOf(await resolve(universe, ['a'])), ['a@1.0.0'])
})

test('what is optional is used where it is there and fits, and is never a reason to fail', async () => {
  const universe = universeOf({ 'a@1.0.0': { needs: { 'b?': '^2', 'gone?': '^1' } }, 'b@1.0.0': {} })
  assert.deepEqual(namesOf(await resolve(universe, ['a'])), ['a@1.0.0'])
  assert.deepEqual(namesOf(await resolve(universe, ['a', 'b'])), ['b@1.0.0', 'a@1.0.0'])
})

test('who needs a capability gets a plugin that provides it', async () => {
  const universe = universeOf({
    'a@1.0.0': { requires: { 'cloud.login': '^2' } },
    'old@1.0.0': { provides: { 'cloud.login': '1.0.0' } },
    'new@1.0.0': { provides: { 'cloud.login': '2.1.0' } },
  })
  assert.deepEqual(namesOf(await resolve(universe, ['a'])), ['new@1.0.0', 'a@1.0.0'])
  assert.deepEqual(namesOf(await resolve(universe, ['a', 'new'])), ['new@1.0.0', 'a@1.0.0'])
})

test('a conflict names who wants what, and the smallest change that fixes it', async () => {
  const universe = universeOf({
    'a@1.4.0': { needs: { b: '^2' } },
    'c@1.0.0': { needs: { b: '^1' } },
    'b@2.0.0': {},
    'b@1.1.0': {},
  })
  assert.deepEqual(await conflictOf(resolve(universe, ['a', 'c'])), {
    chain: ['a 1.4.0 needs b ^2', 'c 1.0.0 needs b ^1', 'b has 2.0.0, 1.1.0'],
    fix: 'Install a version of c that takes b 2.0.0.',
  })
})

const explained = [
  ['nobody has it', { 'a@1.0.0': { needs: { b: '^1' } } }, /nobody has b/, /where b is fetched from/],
  ['no version is in range', { 'a@1.0.0': { needs: { b: '^3' } }, 'b@1.0.0': {} }, /b has 1\.0\.0/, /that takes b 1\.0\.0/],
  [
    'no version is for this API',
    { 'a@1.0.0': { api: '^9' } },
    /needs API \^9, the host offers 1\.2\.0/,
    /publisher of a .* API 1\.2\.0/,
  ],
  ['no version can be had', { 'a@1.0.0': { api: 'broken' } }, /the archive is damaged/, /publisher of a/],
  ['nobody provides it', { 'a@1.0.0': { requires: { x: '^1' } } }, /no plugin that is known offers it/, /a plugin that offers x/],
  [
    'it goes round in a circle',
    { 'a@1.0.0': { needs: { b: '*' } }, 'b@1.0.0': { needs: { a: '*' } } },
    /a needs b needs a/,
    /break the circle/,
  ],
] as const

for (const [why, releases, chain, fix] of explained) {
  test(`an explanation says that ${why}`, async () => {
    const conflict = await conflictOf(resolve(universeOf(releases), ['a']))
    assert.match(conflict.chain.join('; '), chain)
    assert.match(conflict.fix ?? '', fix)
  })
}

const ids = ['a', 'b', 'c', 'd']
const versions = ['3.0.0', '2.0.0', '1.0.0']
const range = fc.constantFrom('*', '^1', '^2', '>=2', '<3')
const needs = fc.dictionary(fc.constantFrom(...ids), range, { maxKeys: 2, noNullPrototype: true })
const someUniverse = fc.dictionary(
  fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...versions)).map((key) => key.join('@')),
  needs,
  { maxKeys: 12, noNullPrototype: true },
)

test('whatever the universe, an answer is a solution, and there is no answer only where there is no solution', async () => {
  await fc.assert(
    fc.asyncProperty(
      someUniverse,
      fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1, maxLength: 3 }),
      async (found, wishes) => {
        const releases = Object.fromEntries(Object.entries(found).map(([key, value]) => [key, { needs: value }]))
        const resolution = await resolve(universeOf(releases), wishes)
        const isCircle = !resolution.ok && /circle/.test(resolution.conflict.fix ?? '')
        if (isCircle) return
        assert.equal(resolution.ok, isSolvable(found, wishes))
        if (resolution.ok)
          assert.ok(isSolution(found, wishes, new Map(resolution.releases.map(({ id, version }) => [id, version]))))
      },
    ),
    { numRuns: 300 },
  )
})

type Found = Readonly<Record<string, Readonly<Record<string, string>>>>

function isSolution(found: Found, wishes: readonly string[], chosen: ReadonlyMap<string, string>): boolean {
  if (!wishes.every((id) => chosen.has(id))) return false
  return [...chosen].every(([id, version]) => {
    const needed = found[`${id}@${version}`]
    return needed !== undefined && Object.entries(needed).every(([other, wanted]) => fits(chosen.get(other) ?? '', wanted))
  })
}

/** By trying everything. */
function isSolvable(found: Found, wishes: readonly string[]): boolean {
  const choices = ids.map((id) => [undefined, ...versions.filter((version) => Object.hasOwn(found, `${id}@${version}`))])
  const all = choices.reduce<(string | undefined)[][]>(
    (before, some) => before.flatMap((one) => some.map((each) => [...one, each])),
    [[]],
  )
  return all.some((one) => {
    const chosen = new Map(one.flatMap((version, at) => (version === undefined ? [] : [[ids[at] ?? '', version] as const])))
    return isSolution(found, wishes, chosen)
  })
}

test('a dead end that has nothing to do with a choice does not make it be tried again', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 20 }, (_, at) => versions.map((version) => [`p${at}@${version}`, {}] as const)).flat(),
  )
  const universe = universeOf({ ...many, 'x@1.0.0': { needs: { gone: '*' } } })
  const conflict = await conflictOf(resolve(universe, [...Array.from({ length: 20 }, (_, at) => `p${at}`), 'x']))
  assert.match(conflict.chain.join('; '), /nobody has gone/)
  assert.ok(universe.asked.length < 100)
})

test('a circle that another plugin opens is none, and who is in it comes after that one', async () => {
  const releases = {
    'a@1.0.0': { requires: { disk: '^1.0.0' }, needs: { z: '*' } },
    'b@1.0.0': { provides: { disk: '1.0.0' }, needs: { a: '*' } },
    'y@1.0.0': { provides: { disk: '0.9.0' }, needs: { a: '*' } },
    'z@1.0.0': { provides: { disk: '1.1.0' } },
  }
  assert.deepEqual(namesOf(await resolve(universeOf(releases), ['a', 'b', 'y'])), ['z@1.0.0', 'a@1.0.0', 'b@1.0.0', 'y@1.0.0'])
  const { 'z@1.0.0': _, ...closed } = { ...releases, 'a@1.0.0': { requires: { disk: '^1.0.0' } } }
  const { chain } = await conflictOf(resolve(universeOf(closed), ['a', 'b']))
  assert.deepEqual(chain, ['a needs b needs a'])
})

test('a version before a release is taken where it was asked for itself, and not where others need one', async () => {
  const releases = {
    'a@1.0.0-rc.1': { requires: { disk: '^1.0.0' } },
    'b@1.0.0': { needs: { a: '*' } },
    'z@2.0.0-rc.1': { provides: { disk: '1.0.0' } },
  }
  assert.deepEqual(namesOf(await resolve(universeOf(releases), ['a'])), ['z@2.0.0-rc.1', 'a@1.0.0-rc.1'])
  const { chain } = await conflictOf(resolve(universeOf(releases), ['b']))
  assert.deepEqual(chain.slice(0, 1), ['b 1.0.0 needs a *'])
})

test('a range that takes seconds to read is fit by nothing', async () => {
  const universe = universeOf({ 'a@1.0.0': { needs: { b: '>1 '.repeat(100) } }, 'b@2.0.0': {} })
  const { chain, fix } = await conflictOf(resolve(universe, ['a']))
  assert.match(chain[0] ?? '', /^a 1\.0\.0 needs b >1/)
  assert.doesNotMatch(fix ?? '', /take 2\.0\.0/)
})
