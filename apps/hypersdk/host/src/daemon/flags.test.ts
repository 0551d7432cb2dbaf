import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFlags } from './flags.ts'
import { nodeProblem } from './require-node.ts'

test('flags have one dash or two', () => {
  const flags = parseFlags(['-config', 'a.yaml', '--addr=127.0.0.1:1', '-log-level=debug', '--data-directory', 'd'])
  assert.equal(flags.config, 'a.yaml')
  assert.equal(flags.addr, '127.0.0.1:1')
  assert.equal(flags.logLevel, 'debug')
  assert.equal(flags.dataDirectory, 'd')
  assert.equal(flags.action, 'run')
  assert.equal(flags.safeMode, false)
  assert.equal(parseFlags(['-safe-mode']).safeMode, true)
  assert.equal(parseFlags(['-version']).action, 'version')
  assert.equal(parseFlags(['-disable-web', '--foreground']).action, 'run', 'what older unit files say')
  assert.equal(parseFlags(['-h']).action, 'help')
})

test('a mistyped flag is named with the nearest one', () => {
  assert.throws(() => parseFlags(['--confg', 'x']), { code: 'DAEMON_USAGE', message: /--config\?$/ })
  assert.throws(() => parseFlags(['--safemode']), { code: 'DAEMON_USAGE', message: /--safe-mode\?$/ })
  assert.throws(() => parseFlags(['--log-level', 'loud']), { code: 'DAEMON_USAGE', message: /loud/ })
  assert.throws(() => parseFlags(['extra']), { code: 'DAEMON_USAGE' })
  assert.throws(() => parseFlags(['--config']), { code: 'DAEMON_USAGE' })
})

test('a Node that is too old is told so with a code and what to do', () => {
  assert.match(
    nodeProblem('20.20.2') ?? '',
    /^DAEMON_NODE_TOO_OLD: Node 20\.20\.2 is too old, 24 or newer is needed\nRun npm install/,
  )
  assert.equal(nodeProblem('24.0.0'), undefined)
  assert.equal(nodeProblem(process.versions.node), undefined)
})
