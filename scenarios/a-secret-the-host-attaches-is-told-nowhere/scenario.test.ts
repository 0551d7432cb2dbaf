import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createKernel } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { managementApi, type Peer } from '@backplane/server'
import { directory } from '@backplane/sources'
import { requireProgram, temporaryDirectory } from '@backplane/testing'

const secret = 'canary-77aa88bb"quoted"'
const network = defineProvider('demo.network', { run: unary(anything, anything) })

const peer: Peer = {
  via: 'unix',
  secure: false,
  address: '',
  localPort: undefined,
  target: '/',
  hosts: ['host'],
  closing: new AbortController().signal,
}

/** Tells all it sees of an answer or a failure, in every way it has. */
const careless = `import { definePlugin, defineProvider, anything, unary } from '@backplane/sdk'
const network = defineProvider('demo.network', { run: unary(anything, anything) })
export default definePlugin((scope) => {
  scope.provide(network, 'one', { run: async ({ url, next }, call) => {
    const told = await fetch(url).then(
      async (response) => ({ status: response.status, headers: [...response.headers], body: await response.text() }),
      (error) => ({ error: String(error.stack), cause: String(error.cause?.stack), code: error.cause?.code }),
    )
    call.log.error('it came to ' + JSON.stringify(told), { told })
    console.error(JSON.stringify(told))
    if (next === 'throw') throw new Error(JSON.stringify(told))
    if (next === 'exit') process.exit(3)
    return told
  } })
})
`

test('a secret that the host adds to requests of a plugin is in nothing that the host writes or answers', async (t) => {
  if (!requireProgram(t, 'openssl', 'openssl')) return
  const root = await temporaryDirectory(t)
  const certificate = await certificateIn(root)
  const seen: unknown[] = []
  const upstream = await listening(
    t,
    createServer(certificate, (request, response) => {
      seen.push(request.headers['x-secret'])
      if (request.url === '/cut') response.destroy()
      else if (request.url === '/wrong') response.socket?.end('HTTP/1.1 200 OK\r\nx: \u0000\r\n\r\n')
      else response.end('it was asked')
    }),
  )
  const untrusted = await listening(
    t,
    createServer(await certificateIn(root), (_request, response) => response.end()),
  )
  await pluginIn(join(root, 'plugins/careless'), [upstream, untrusted])
  let fails = false
  let failed = 0
  const credentials = (): Record<string, string> => {
    if (fails) {
      failed += 1
      throw new Error(`the store of secrets has no ${secret}`)
    }
    return { 'x-secret': secret }
  }
  const told: string[] = []
  const modules = { '@backplane/sdk': import.meta.resolve('@backplane/sdk') }
  await using kernel = await createKernel({
    host: { name: 'demo', api: '1.0.0' },
    points: [network],
    sources: [directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false, settleMs: 0 })],
    runtimes: [confined({ modules, temporaryDirectory: root, egress: { credentials, ca: certificate.cert } })],
    policy: { tier: () => 'confined', isolation: () => ({ floor: 'process', trust: 'community' }) },
    dataDirectory: join(root, 'data'),
    log: { write: (line) => void told.push(`log ${JSON.stringify(line)}`) },
    watch: false,
  })
  const run = async (url: string, next = ''): Promise<void> => {
    const answer = kernel.provider(network, 'one').run({ url, next }, { deadlineMs: 20_000 })
    told.push(await answer.then(JSON.stringify, (error: unknown) => `${String(Object(error).stack)} ${JSON.stringify(error)}`))
  }
  for (const path of ['', 'cut', 'wrong']) await run(`https://${upstream}/${path}`)
  await run(`https://${upstream}/`, 'throw')
  await run(`https://${untrusted}/`)
  await run('https://127.0.0.2:8443/')
  fails = true
  await run(`https://${upstream}/`)
  fails = false
  assert.ok(failed > 0)
  const { fetch } = managementApi(kernel, {})
  const ask = async (path: string, method = 'GET'): Promise<number> => {
    const answer = await fetch(new Request(`http://host${path}`, { method }), { ...peer, target: path })
    told.push(`${path} ${JSON.stringify([...answer.headers])} ${await answer.text()}`)
    return answer.status
  }
  assert.equal(await ask('/api/plugins/acme%2Fcareless/profile?seconds=0.1', 'POST'), 200, told.at(-1) ?? '')
  await run(`https://${upstream}/`, 'exit')
  const of = ['', '/why', '/history', '/usage'].map((what) => `/api/plugins/acme%2Fcareless${what}`)
  for (const path of [...of, '/api/plugins', '/api/top', '/metrics']) assert.equal(await ask(path), 200, path)
  told.push(JSON.stringify(kernel.events.since(0)), JSON.stringify(kernel.plugins.list()))
  for (const file of (await readdir(root, { recursive: true, withFileTypes: true })).filter((one) => one.isFile()))
    told.push(`${file.name} ${await readFile(join(file.parentPath, file.name), 'latin1')}`)
  assert.ok(seen.length >= 4 && seen.every((value) => value === secret), 'the place got it each time')
  for (const part of [/it was asked/, /lastLines/, /EGRESS_DENIED/, /grant\.denied/]) assert.match(told.join('\n'), part)
  const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), Buffer.from(secret).toString('base64')]
  const leaks = told.filter((text) => forms.some((form) => text.includes(form)) || text.includes('77aa88bb'))
  assert.deepEqual(
    leaks.map((text) => text.slice(0, 300)),
    [],
  )
})

async function pluginIn(folder: string, places: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  const manifest = {
    schemaVersion: 1,
    id: 'acme/careless',
    version: '1.0.0',
    main: 'index.js',
    requires: { api: '^1.0.0' },
    contributes: { 'demo.network': { one: {} } },
    permissions: places.map((place) => `net:connect ${place}`),
  }
  await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await writeFile(join(folder, 'index.js'), careless)
}

async function listening(t: TestContext, server: Server): Promise<string> {
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function certificateIn(folder: string): Promise<{ readonly key: string; readonly cert: string }> {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const named = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', [...made, ...named, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') }
}
