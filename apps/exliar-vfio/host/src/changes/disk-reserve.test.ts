import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { requireProgram } from '@backplane/testing'

const fixture = fileURLToPath(new URL('../fixtures/full-disk.ts', import.meta.url))

/** Runs the fixture on a file system of that size. */
function onDisk(sizeBytes: number): string {
  const view = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--size', String(sizeBytes), '--tmpfs', '/mnt']
  const node = [process.execPath, '--conditions=@backplane/source', fixture, '/mnt']
  const { stdout, stderr } = spawnSync('bwrap', [...view, '--', ...node], { encoding: 'utf8' })
  return stdout + stderr
}

test('a disk that becomes full during a run does not keep it from being taken back', (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const [first = '', ...others] = onDisk(3 * 1024 * 1024)
    .trim()
    .split('\n')
  assert.deepEqual(JSON.parse(first), { kind: 'rolled-back', complete: true, grub: 'old\n', room: true })
  assert.deepEqual(others, ['true', 'true', 'true'], 'nothing is left behind; nor does one that becomes full afterwards')
})

test('where there is no room for an undo, nothing is begun', (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  assert.match(onDisk(512 * 1024), /TREE_UNWRITABLE.*ENOSPC/s)
})
