import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test } from 'node:test'

const program = fileURLToPath(new URL('fixtures/list-without-programs.ts', import.meta.url))
const repository = fileURLToPath(new URL('../../../../../', import.meta.url))

test('without virsh every call is an error that names the package', async () => {
  const flags = ['--conditions=@backplane/source', '--permission', `--allow-fs-read=${repository}`]
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program], { env: {} })
  const error = JSON.parse(stdout) as { code: string; message: string; hint: string }
  assert.equal(error.code, 'LIBVIRT_PROGRAM_MISSING')
  assert.match(error.message, /virsh this plugin may not run/)
  assert.match(error.hint, /Debian package libvirt-clients/)
})
