import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** A disk of the slow provider: two blocks, of which the second waits for the file `go`. Bytes. */
export const blockBytes: number = 1024 * 1024

/** What a plugin folder is made of. */
export interface SlowProvider {
  readonly version: string
  /** Default `acme/slow`. */
  readonly id?: string
  /** Default `slow`. */
  readonly name?: string
  readonly api?: string
  /** Lines put at the beginning of the module. */
  readonly code?: string
  /** Members that replace those of the implementation. */
  readonly methods?: string
  readonly permissions?: readonly string[]
}

/**
 * A provider plugin under test control: its one machine carries the version as a tag; an export writes a first block,
 * waits until the file `go` is in the instance's directory, writes a second block, and ends. Every byte is the version's
 * major number.
 */
export async function writeSlowProvider(folder: string, plugin: SlowProvider): Promise<void> {
  const { id = 'acme/slow', name = 'slow', version, api = '^1.0.0', code = '', methods = '' } = plugin
  const capabilities = { supported_formats: ['raw'], supports_streaming: true }
  const manifest = {
    schemaVersion: 1,
    id,
    version,
    main: 'index.js',
    requires: { api },
    contributes: { 'hypersdk.provider': { [name]: { capabilities } } },
    permissions: plugin.permissions ?? ['fs:read ${instances.*.metadata.directory}'],
  }
  // Made aside and moved in whole, as a careful installer does.
  await mkdir(dirname(folder), { recursive: true })
  const aside = await mkdtemp(join(dirname(dirname(folder)), 'aside-'))
  await writeFile(join(aside, 'plugin.json'), JSON.stringify(manifest, null, 2))
  await writeFile(join(aside, 'package.json'), '{"type":"module"}')
  await writeFile(join(aside, 'index.js'), moduleText({ code, methods, name, version }))
  await rm(folder, { recursive: true, force: true })
  await rename(aside, folder)
}

/** Copies over an installed folder file by file, as `cp -r` does. */
export async function copyOver(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true })
}

/** Lets exports of the slow provider end. */
export async function letGo(control: string): Promise<void> {
  await writeFile(join(control, 'go'), '')
}

/** SHA-256 an export of a version must have. */
export function checksumOf(version: string): string {
  return createHash('sha256')
    .update(Buffer.alloc(2 * blockBytes, Number(version.split('.')[0])))
    .digest('hex')
}

function moduleText(parts: { code: string; methods: string; name: string; version: string }): string {
  return `${parts.code}
import { existsSync } from 'node:fs'
import { definePlugin } from '@backplane/sdk'
import { provider } from '@hypersdk/points'

const version = '${parts.version}'
const machine = { id: 'vm/1', name: 'slow machine', state: 'POWERED_ON', memory_mb: 2048, num_cpus: 2, tags: { version } }
const block = () => new Uint8Array(${blockBytes}).fill(Number(version.split('.')[0]))

function* firstBlock() {
  yield { kind: 'disk', disk: 'disk0', format: 'raw', size_bytes: ${2 * blockBytes} }
  yield { kind: 'bytes', disk: 'disk0', offset: 0, bytes: block() }
}

async function* exportVm(request, call, directory) {
  yield* firstBlock()
  call.progress(${blockBytes}, ${2 * blockBytes}, 'half')
  while (!existsSync(directory + '/go')) {
    call.signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  yield { kind: 'bytes', disk: 'disk0', offset: ${blockBytes}, bytes: block() }
}

export default definePlugin((scope) => {
  scope.provide(provider, '${parts.name}', {
    open: (config) => ({
      validateCredentials: () => null,
      listVms: () => [machine],
      getVm: () => machine,
      searchVms: () => [machine],
      exportVm: (request, call) => exportVm(request, call, config.metadata.directory),
      ${parts.methods}
    }),
  })
})
`
}
