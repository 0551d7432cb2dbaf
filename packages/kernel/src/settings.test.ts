import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveSettings } from './index.ts'
import { secretName, secretNames } from './settings.ts'

const env = { HOME_X: '/srv', EMPTY: '', PROTO: undefined }
const secrets = { resolve: async (name: string, plugin: string) => (name === 'token' ? `s3cret of ${plugin}` : undefined) }

test('places are filled at any depth, many in one text, and the value given is left alone', async () => {
  const given = { a: ['${env:HOME_X}/a:${env:HOME_X}/b', 7, null], b: { c: 'plain $ {text}' } }
  const copy = structuredClone(given)
  assert.deepEqual(await resolveSettings(given, { env }), { a: ['/srv/a:/srv/b', 7, null], b: { c: 'plain $ {text}' } })
  assert.deepEqual(given, copy)
})

test('a default stands in for a variable that is not set, and only then', async () => {
  assert.equal(await resolveSettings('${env:GONE:-x y}', { env }), 'x y')
  assert.equal(await resolveSettings('${env:GONE:-}', { env }), '')
  assert.equal(await resolveSettings('${env:HOME_X:-other}', { env }), '/srv')
  assert.equal(await resolveSettings('${env:EMPTY:-other}', { env }), '')
})

test('what is not set is an error that names file, path and variable', async () => {
  const context = { env, from: 'config.yaml' }
  for (const name of ['GONE', 'PROTO', 'toString']) {
    await assert.rejects(resolveSettings({ a: { 'b c': [0, `\${env:${name}}`] } }, context), {
      code: 'SETTING_UNRESOLVED',
      message: `config.yaml: $.a["b c"][1] names the environment variable ${name}, which is not set`,
    })
  }
})

test('secrets are asked of the broker, once each, by the name of who asks; without a broker they stay handles', async () => {
  const value = { a: 'Bearer ${secret:token}', b: '${secret:token}' }
  assert.deepEqual(await resolveSettings(value, { env }), value)
  const filled = { a: 'Bearer s3cret of demo/it', b: 's3cret of demo/it' }
  assert.deepEqual(await resolveSettings(value, { env, secrets, plugin: 'demo/it' }), filled)
  await assert.rejects(resolveSettings({ a: ['${secret:gone}'] }, { env, secrets, from: 'config.yaml' }), {
    code: 'SECRET_UNRESOLVED',
    message: /config\.yaml: \$\.a\[0\] names the secret "gone"/,
  })
})

test('a doubled dollar stands for the text itself', async () => {
  assert.equal(await resolveSettings('$${env:HOME_X} $${secret:token}', { env, secrets }), '${env:HOME_X} ${secret:token}')
})

test('what a variable or a secret holds is not looked into again', async () => {
  assert.equal(await resolveSettings('${env:A}', { env: { A: '${env:B}', B: 'x' } }), '${env:B}')
  const nested = { resolve: async () => '${secret:other} $& $1' }
  assert.equal(await resolveSettings('${secret:token}', { env, secrets: nested }), '${secret:other} $& $1')
})

test('a key called __proto__ stays a key', async () => {
  const filled = (await resolveSettings(JSON.parse('{"__proto__": {"x": "${env:HOME_X}"}}'), { env })) as object
  assert.deepEqual(Object.keys(filled), ['__proto__'])
  assert.equal(Reflect.get({}, 'x'), undefined)
})

test('the secrets a value names are what it may read', () => {
  assert.deepEqual(
    [...secretNames({ a: '${secret:one} ${secret:two}', b: ['${secret:one}', '$${secret:no}', '${env:secret}'] })],
    ['one', 'two'],
  )
  assert.deepEqual([secretName('${secret:a/b-c}'), secretName('plain')], ['a/b-c', 'plain'])
})
