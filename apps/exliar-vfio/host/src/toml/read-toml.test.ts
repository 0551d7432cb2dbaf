import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readToml } from './read-toml.ts'

const text = `name = "x"
[plugins.config.a-b]
when = "auto"
drivers = { win = "551.2", list = [1, { deep = true }] }
[[rules]]
id = 1
`

test('values come with the place they are written at', () => {
  const { value, locate } = readToml(text, 'plugin.toml')
  assert.deepEqual(structuredClone(value), {
    name: 'x',
    plugins: { config: { 'a-b': { when: 'auto', drivers: { win: '551.2', list: [1, { deep: true }] } } } },
    rules: [{ id: 1 }],
  })
  assert.equal(locate(['plugins', 'config', 'a-b', 'when']), 'plugin.toml:3:1')
  assert.equal(locate(['plugins', 'config', 'a-b', 'drivers', 'list', 1, 'deep']), 'plugin.toml:4:41')
  assert.equal(locate(['rules', 0, 'id']), 'plugin.toml:6:1')
})

test('what is not written is placed where it would belong', () => {
  const { locate } = readToml(text, 'plugin.toml')
  assert.equal(locate(['plugins', 'config', 'a-b', 'missing', 'deeper']), 'plugin.toml:2:1')
  assert.equal(locate(['nothing']), 'plugin.toml:1:1')
})

for (const [what, broken, place] of [
  ['a value that is missing', 'a = 1\nb =\n', ':3:1'],
  ['a key twice', 'a = 1\na = 2\n', ':2:'],
  ['a key that stands for something else', 'a = 1\n__proto__ = { x = 1 }\n', ':2:1'],
  ['the same in a table', '[plugins]\n"constructor" = 1\n', ':2:1'],
  ['the same as a table', '[plugins.prototype]\na = 1\n', ':1:'],
  ['more than a file may hold', `a = "${'x'.repeat(1024 * 1024)}"`, ':1:1'],
] as const) {
  test(`${what} is refused with its place`, () => {
    assert.throws(
      () => readToml(broken, 'config.toml'),
      (error: Error & { code?: string }) => error.code === 'TOML_INVALID' && error.message.includes(`config.toml${place}`),
    )
  })
}
