import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readWorkspaces, root } from './workspaces.ts'

const asked = /requireProgram\(\w+, '[^']+', '([^']+)'\)|\(Debian package ([a-z0-9+.-]+)\)/g

test('continuous integration installs every Debian package that a test skips without', () => {
  const [, list = ''] = /^packages=\((.*)\)$/m.exec(readFileSync(join(root, '.ci/run'), 'utf8')) ?? []
  const installed = new Set(list.split(' '))
  const missing: string[] = []
  let found = 0
  for (const { directory, files } of readWorkspaces()) {
    if (directory === 'packages/testing') continue
    for (const [path, text] of files) {
      if (!text.includes('requireProgram') && !text.includes('(Debian package ')) continue
      if (!/(?:\.test|\.suite)\.ts$|fixtures\//.test(path)) continue
      for (const match of text.matchAll(asked)) {
        const debianPackage = match[1] ?? match[2] ?? ''
        found += 1
        if (!installed.has(debianPackage)) missing.push(`${directory}/${path}: ${debianPackage}`)
      }
    }
  }
  assert.ok(found > 30, `only ${found} were found`)
  assert.deepEqual(missing, [])
})
