import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifestSchema } from './manifest-schema.ts'

const properties = manifestSchema['properties'] as Readonly<Record<string, { readonly pattern?: string }>>
const accepts = (name: string, value: string): boolean => new RegExp(properties[name]?.pattern ?? '^', 'u').test(value)

test('an id is publisher/name in lower case', () => {
  for (const good of ['a/b', 'acme/disk-images', '0/1']) assert.ok(accepts('id', good), good)
  for (const bad of [
    'disk',
    'Acme/disk',
    'acme/',
    '/disk',
    'a/b/c',
    'acme/__proto__',
    '../x',
    'acme/d isk',
    `a/${'x'.repeat(65)}`,
  ]) {
    assert.ok(!accepts('id', bad), bad)
  }
})

test('main stays inside the package', () => {
  for (const good of ['index.js', 'src/index.ts', '..hidden/x.js']) assert.ok(accepts('main', good), good)
  for (const bad of ['../x.js', '/etc/passwd', 'a/../../x', '..', 'a\\b', 'a\u0000b', '']) assert.ok(!accepts('main', bad), bad)
})

test('a version is SemVer', () => {
  for (const good of ['0.0.0', '1.2.3-rc.1+build']) assert.ok(accepts('version', good), good)
  for (const bad of ['1', '1.2', 'v1.2.3', '01.2.3', '1.2.3-']) assert.ok(!accepts('version', bad), bad)
})
