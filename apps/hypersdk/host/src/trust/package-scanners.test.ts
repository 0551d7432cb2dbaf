import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanner, type Scope } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import type { ScannerConfig } from '../config/host-config.ts'
import { hypersdkErrors } from '../errors.ts'
import { packageScanners, scannerReserved } from './package-scanners.ts'

const { signal } = new AbortController()
const words: ScannerConfig = {
  kind: 'plugin',
  name: 'words',
  plugin: 'acme/words',
  digest: undefined,
  timeoutMs: 60_000,
  freshMs: 0,
}
const config = { plugins: { scanners: [words] }, dataDirectory: '/nowhere' } as never
const about = { id: 'acme/s3', version: '1.0.0', digest: `sha256:${'0'.repeat(64)}` }

test('a scanner that is not here, or for which another plugin answers, is SCANNER_MISSING and refuses', async () => {
  const contributes = { [scanner.id]: { words: {} } }
  const provided = { file: () => undefined, findings: () => [] }
  const stranger = {
    manifest: { id: 'evil/words', contributes },
    setup: (scope: Scope) => scope.provide(scanner, 'words', { open: () => provided }),
  }
  await using t = await testKernel({ points: [scanner], plugins: [stranger, { manifest: { id: 'acme/words' } }] })
  const findings = async (reach: Parameters<typeof packageScanners>[1]) =>
    (await packageScanners(config, reach)[0]?.scan(about, [], signal))?.map(({ message, fix }) => [message, fix])
  const expected = (reason: string): unknown => {
    const { message, hint } = hypersdkErrors.error('SCANNER_MISSING', { name: 'words', plugin: 'acme/words', reason })
    return [[`acme/words could not look: ${message}`, hint]]
  }
  assert.deepEqual(await findings(() => undefined), expected('the plugin is not here'))
  assert.deepEqual(await findings(() => t.kernel), expected('evil/words answers to the name'))
})

test('only the plugin that is named may be a scanner of that name', () => {
  const command: ScannerConfig = {
    kind: 'command',
    name: 'av',
    argv: ['/bin/true'],
    env: {},
    timeoutMs: 1,
    maxBytes: 1,
    freshMs: 0,
    sandbox: true,
    network: false,
  }
  const reason = (name: string, id: string, point = scanner.id): string | undefined =>
    scannerReserved({ scanners: [words, command] }, { point, name, id, origin: 'external' })
  assert.equal(reason('words', 'acme/words'), undefined)
  assert.equal(reason('words', 'evil/words', 'hypersdk.provider'), undefined)
  assert.match(reason('words', 'evil/words') ?? '', /names acme\/words so.*plugins\.scanners\.words\.plugin: evil\/words/)
  assert.match(reason('av', 'evil/words') ?? '', /names a command so/)
  assert.match(reason('other', 'acme/words') ?? '', /names no scanner so/)
})
