import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { permissions } from '@exliar-vfio/points'
import { z } from 'zod'
import { ConfigFile } from '../config/exliar-config.ts'
import { operator } from '../fixtures/operator.ts'

const guide = await readFile(fileURLToPath(new URL('../../../../../docs/guide/exliar.md', import.meta.url)), 'utf8')

/** The fenced blocks of a language, without their fences. */
function blocks(language: string): readonly string[] {
  return [...guide.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].flatMap(([, found, text = '']) => (found === language ? [text] : []))
}

test('the guide shows every key of the configuration, and its example is one', async (t) => {
  const [example = ''] = blocks('toml')
  const { exliar, configure } = await operator(t, 'two-identical-nvidia-grub-initramfs-tools')
  await configure(example.replace('trust_policy', '# trust_policy'))
  assert.equal((await exliar(['status'])).code, 0)
  const schema = z.toJSONSchema(ConfigFile, { io: 'input' })
  for (const [section, { properties = {} }] of Object.entries(schema.properties ?? {}) as [
    string,
    z.core.JSONSchema.JSONSchema,
  ][]) {
    assert.ok(example.includes(`[${section}]`), section)
    for (const key of Object.keys(properties)) {
      if (key !== 'config') assert.match(example, new RegExp(`^${key} = `, 'm'), key)
    }
  }
})

test('the guide names every permission of this host', () => {
  for (const name of Object.keys(permissions)) assert.ok(guide.includes(`| \`${name}\` |`), name)
})

test('what the guide pastes is what the program prints, and its commands are commands', async (t) => {
  const { exliar } = await operator(t, 'two-identical-nvidia-grub-initramfs-tools')
  const pasted = blocks('').find((text) => text.startsWith('0000:65:00.0')) ?? assert.fail()
  const { out } = await exliar(['report'])
  assert.ok(out.includes(pasted), out)
  const help = (await exliar(['--help'])).out
  const typed = [
    ...blocks('')
      .join('\n')
      .matchAll(/^(?:npm run -s exliar --|exliar)(?: --[\w-]+)? ([a-z-]+)/gm),
  ]
  assert.ok(typed.length > 15)
  for (const [line, verb = ''] of typed) assert.match(help, new RegExp(`^  ${verb}\\b`, 'm'), line)
})
