import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { hostileNames } from './fixtures/hostile-names.ts'
import { fine, hostileTars, type HostileArchive } from './fixtures/hostile-tars.ts'
import { fineInZip, hostileZips } from './fixtures/hostile-zips.ts'
import { tgzOf } from './fixtures/raw-tar.ts'
import { zipOf } from './fixtures/raw-zip.ts'
import { stagingGround } from './fixtures/staging-ground.ts'

const namesInTars: readonly HostileArchive[] = hostileNames.map(([what, code, ...names]) => {
  const entries = names.map((name) => (String(name).endsWith('/') ? { name, type: '5' } : { name, body: 'x' }))
  return [what, code, tgzOf([fine, ...entries])]
})

const namesInZips: readonly HostileArchive[] = hostileNames.map(([what, code, ...names]) => {
  return [
    what,
    code,
    zipOf([fineInZip, ...names.map((name) => ({ name, flags: 0x0800, body: String(name).endsWith('/') ? '' : 'x' }))]),
  ]
})

for (const [format, archives] of [
  ['tar', [...hostileTars, ...namesInTars]],
  ['zip', [...hostileZips, ...namesInZips]],
] as const) {
  for (const archive of archives) {
    test(`a ${format} is refused, and nothing written, for ${archive[0]}`, async (t) => refuse(t, archive))
  }
}

test('the archives that hostile ones are made from are taken', async (t) => {
  const ground = await stagingGround(t)
  for (const bytes of [tgzOf([fine]), zipOf([fineInZip])]) {
    await using staged = await ground.stage(bytes)
    assert.deepEqual(
      staged.files.map(({ path }) => path),
      ['package/index.js'],
    )
  }
})

test('a name is shown without what would turn a terminal or a log', async (t) => {
  const { stage } = await stagingGround(t)
  const name = `package/\u001b[31m\u202e\n${'x'.repeat(500)}`
  const error: unknown = await stage(tgzOf([fine, { name: name.slice(0, 99), body: '' }])).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof PlatformError)
  for (const text of [error.message, error.hint ?? '', JSON.stringify(error)]) {
    assert.ok(!/[\p{Cc}\p{Cf}]/u.test(text) && text.length < 1_000, text)
  }
})

async function refuse(t: TestContext, [, code, bytes, limits]: HostileArchive): Promise<void> {
  const ground = await stagingGround(t)
  const before = ground.look()
  await assert.rejects(ground.stage(bytes, limits), (error: unknown) => {
    assert.ok(error instanceof PlatformError, String(error))
    assert.equal(error.code, code, error.message)
    assert.ok(!/\{\w+\}/.test(`${error.message} ${error.hint}`), `${error.message} | ${error.hint}`)
    return true
  })
  assert.deepEqual(ground.look(), before)
}
