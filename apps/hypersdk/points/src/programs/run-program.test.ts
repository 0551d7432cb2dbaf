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

/** Runs a script that writes a process id, and cancels it then; answers that id once the run came back. */
async function cancelled(script: string): Promise<number> {
  const cancel = new AbortController()
  let pid = 0
  const onOutput = (text: string): void => {
    pid = Number(text)
    cancel.abort()
  }
  await assert.rejects(runProgram('sh', { args: ['-c', script], signal: cancel.signal, onOutput }), { name: 'AbortError' })
  return pid
}

test('cancelling ends the program before the call comes back', async () => {
  const pid = await cancelled('echo $$; exec sleep 600')
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test('a program that ignores the request to end is killed', { timeout: 20_000 }, async () => {
  const pid = await cancelled('echo $$; exec env --ignore-signal=TERM sleep 600')
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test('a program whose own child keeps its output open does not hold a cancel up', { timeout: 20_000 }, async () => {
  process.kill(await cancelled('sleep 600 & echo $!; wait'))
})
