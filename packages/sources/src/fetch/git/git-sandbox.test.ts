import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { gitSandbox } from './git-sandbox.ts'

test('what runs as git sees its folder, what it reads and the programs, and nothing else of this machine', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const place = await temporaryDirectory(t)
  const [folder, repository, secret] = [join(place, 'work'), join(place, 'repository'), join(place, 'secret')]
  for (const one of [folder, repository, secret]) await mkdir(one)
  await writeFile(join(repository, 'HEAD'), 'ref: refs/heads/main')
  await writeFile(join(secret, 'key'), 'hush')
  const run = (script: string, network = false): string => {
    const around = gitSandbox({ program: 'sh', folder, network, reads: [repository] })
    const [program, ...args] = [...around, 'sh', '-c', script]
    return execFileSync(program ?? '', args, { env: {}, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  }
  assert.equal(run(`cat ${repository}/HEAD`), 'ref: refs/heads/main')
  assert.equal(run(`cat ${secret}/key || echo unseen`), 'unseen')
  assert.equal(run('ls /etc/shadow /root 2>/dev/null || echo unseen'), 'unseen')
  assert.equal(run(`touch ${repository}/mine || echo denied`), 'denied')
  assert.equal(run(`echo kept > ${folder}/mine; cat ${folder}/mine`), 'kept')
  assert.equal(run('ls -d /proc/[0-9]* | wc -l').length, 1, 'processes of others are not seen')
  assert.match(run('cat /proc/net/dev'), /^\s*lo:/m)
  assert.doesNotMatch(run('cat /proc/net/dev'), /eth|ens|enp/)
})

test('a program that is not there is left to the shell to name', () => {
  assert.deepEqual(gitSandbox({ program: 'no-such-git', folder: '/tmp', network: false, reads: [] }), [])
})
