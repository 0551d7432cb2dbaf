import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { isRunning, processMark, processStarted } from './process-mark.ts'

test('a process is known by its number, its start and the run of the system; a number used again is another', () => {
  const mark = processMark() ?? assert.fail()
  assert.equal(isRunning(mark), true)
  const [pid, started, boot] = mark.split(' ')
  assert.equal(isRunning(`${pid} ${Number(started) + 1} ${boot}`), false)
  assert.equal(isRunning(`${pid} ${started} another`), false)
  for (const nonsense of ['', 'x', '0 0 0', '-1 1 1', '../../etc 1 1']) assert.equal(isRunning(nonsense), false)
})

test('a process that was killed does not run, also while nobody has asked how it ended', async () => {
  // The shell waits for its last command only, so the first stays what the system calls a zombie.
  const shell = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [text] = (await once(shell.stdout, 'data')) as [Buffer]
  const pid = Number(text.toString())
  const mark = processMark(pid) ?? assert.fail()
  assert.equal(isRunning(mark), true)
  process.kill(pid, 'SIGKILL')
  while (processStarted(pid) !== undefined) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isRunning(mark), false)
  shell.kill('SIGKILL')
  await once(shell, 'close')
})
