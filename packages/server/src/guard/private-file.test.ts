import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refuseExposed } from './private-file.ts'

test('private is only what belongs to this user or to root, and nobody else may read', () => {
  const own = process.geteuid?.() ?? 0
  for (const uid of [own, 0]) refuseExposed('/a', { mode: 0o100600, uid })
  const foreign = { code: 'SERVER_TOKEN_FILE_EXPOSED', message: /belongs to user/ }
  assert.throws(() => refuseExposed('/a', { mode: 0o100600, uid: own + 1 }), foreign)
  for (const mode of [0o100640, 0o100604, 0o100620]) {
    assert.throws(() => refuseExposed('/a', { mode, uid: own }), { code: 'SERVER_TOKEN_FILE_EXPOSED', message: /mode/ })
  }
})
