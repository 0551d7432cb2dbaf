import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

const secret = 'attached-canary-5d1e'

/** A server that takes requests with the secret only, and says never what it was. */
async function guardedServer(t: TestContext, root: string): Promise<{ readonly place: string; readonly ca: string }> {
  const [key, cert] = [join(root, 'key.pem'), join(root, 'cert.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert]
  execFileSync('openssl', [...request, ...subject], { stdio: 'ignore' })
  const server = createServer({ key: await readFile(key), cert: await readFile(cert) }, ({ headers }, response) => {
    response.statusCode = headers.authorization === `Bearer ${secret}` ? 200 : 401
    response.end(response.statusCode === 200 ? 'let in' : 'who are you')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { place: `127.0.0.1:${(server.address() as AddressInfo).port}`, ca: cert }
}

test('a plugin is let in with a secret that it never holds, and another plugin with the same grant is not', async (t) => {
  if (!requireProgram(t, 'openssl', 'openssl')) return
  const places = await makePlaces(t)
  const { place, ca } = await guardedServer(t, places.root)
  await mkdir(join(places.root, 'secrets'), { mode: 0o700 })
  await writeFile(join(places.root, 'secrets', 'door'), secret, { mode: 0o600 })
  await Hypervisord.configure(
    places,
    (yaml) => `${yaml.replace('providers:\n', `providers:\n  other: { metadata: { directory: ${places.control} } }\n`)}
secrets: { files: ${join(places.root, 'secrets')} }
plugins:
  directories: [./plugins]
  credentials_ca: ${ca}
  credentials:
    ${place}: { plugins: [acme/slow], headers: { authorization: 'Bearer \${secret:door}' } }
`,
  )
  const methods = `listVms: async () => {
    const answer = await fetch('https://${place}/').then((one) => one.text(), (error) => String(error.cause ?? error))
    const own = JSON.stringify({ answer, argv: process.argv, env: process.env })
    return [{ ...machine, name: own }]
  },`
  const permissions = ['fs:read ${instances.*.metadata.directory}', `net:connect ${place}`]
  for (const name of ['slow', 'other']) {
    await writeSlowProvider(join(places.plugins, name), { version: '1.0.0', id: `acme/${name}`, name, methods, permissions })
  }
  const daemon = await Hypervisord.start(places)
  const told = await daemon.get('/api/providers/slow/vms')
  assert.equal(told.status, 200, told.text)
  assert.match(told.text, /let in/)
  const others = await daemon.get('/api/providers/other/vms')
  assert.equal(others.status, 200, others.text)
  assert.doesNotMatch(others.text, /let in/, 'the grant alone brings no credentials')
  for (const text of [told.text, others.text, daemon.output, (await daemon.get('/api/plugins/acme/slow/why')).text]) {
    assert.ok(!text.includes(secret))
  }
  assert.equal(await daemon.stop(), 0)
})

test('credentials for a bare name, and with a handle that names nothing, are refused with their place', async (t) => {
  const places = await makePlaces(
    t,
    'plugins:\n  credentials:\n    a.example:443: { plugins: [slow], headers: { authorization: "${sceret:x}" } }\n',
  )
  await assert.rejects(Hypervisord.start(places), /credentials.*must be a full id, publisher\/name/s)
})
