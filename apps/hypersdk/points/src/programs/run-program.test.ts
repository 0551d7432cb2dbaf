import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runProgram } from './run-program.ts'

const { signal } = new AbortController()

test('a program gets its arguments as they are, and no environment but a path and a plain locale', async () => {
  const result = await runProgram('sh', { args: ['-c', 'printf "%s|" "$@"; env | sort', 'sh', '-x', '$HOME; ls'], signal })
  assert.equal(result.kind, 'done')
  assert.match(
    result.kind === 'done' ? result.output : '',
    /^-x\|\$HOME; ls\|LC_ALL=C\nPATH=[^\n]+\n(PWD=[^\n]+\n)?(SHLVL[^\n]+\n)?(_=[^\n]+\n)?$/,
  )
})

test('a program that is not installed is told from one that fails', async () => {
  assert.deepEqual(await runProgram('no-such-program-here', { args: [], signal }), {
    kind: 'missing',
    reason: 'is not installed',
  })
  const failed = await runProgram('sh', { args: ['-c', 'echo broken >&2; exit 3'], signal })
  assert.deepEqual(failed, { kind: 'failed', reason: 'broken' })
  assert.deepEqual(await runProgram('false', { args: [], signal }), { kind: 'failed', reason: 'it ended with code 1' })
})

test('a program that writes more than is kept is ended', async () => {
  const result = await runProgram('yes', { args: [], signal, outputBytes: 10_000 })
  assert.deepEqual(result, { kind: 'failed', reason: 'it wrote more than 10000 bytes' })
})

test('cancelling ends the program before the call comes back', async () => {
  const cancel = new AbortController()
  let pid = 0
  const run = runProgram('sh', {
    args: ['-c', 'echo $$; exec sleep 600'],
    signal: cancel.signal,
    onOutput: (text) => {
      pid = Number(text)
      cancel.abort()
    },
  })
  await assert.rejects(run, { name: 'AbortError' })
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test('a program that ignores the request to end is killed', { timeout: 20_000 }, async () => {
  const cancel = new AbortController()
  let pid = 0
  const run = runProgram('sh', {
    args: ['-c', 'echo $$; exec env --ignore-signal=TERM sleep 600'],
    signal: cancel.signal,
    onOutput: (text) => {
      pid = Number(text)
      cancel.abort()
    },
  })
  await assert.rejects(run, { name: 'AbortError' })
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test('a program whose own child keeps its output open does not hold a cancel up', { timeout: 20_000 }, async () => {
  const cancel = new AbortController()
  let orphan = 0
  const run = runProgram('sh', {
    args: ['-c', 'sleep 600 & echo $!; wait'],
    signal: cancel.signal,
    onOutput: (text) => {
      orphan = Number(text)
      cancel.abort()
    },
  })
  await assert.rejects(run, { name: 'AbortError' })
  process.kill(orphan)
})
