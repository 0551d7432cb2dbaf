import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const text = `# Made by npm start for trying out; delete this folder to begin anew.
# Every key is explained in apps/hypersdk/host/hypersdk.example.yaml.
data_directory: ./data
server:
  unix_socket: SOCKET
  listen: 127.0.0.1:8080
plugins:
  # Drop a plugin's folder in here while the daemon runs.
  directories: [./plugins]
  # Without a signature, and with all it asks for: for trying out and for writing plugins, never for production.
  development: true
  # It runs in a sandbox, which needs bubblewrap (apt-get install bubblewrap); process does without.
  isolation: os
providers:
  samples:
    type: disk-images
    metadata:
      directory: DISKS
  # For examples/5-hypersdk-provider-manifest/shelf, once it is dropped into ./plugins.
  shelf:
    type: shelf
    metadata:
      directory: DISKS
exports:
  directory: ./exports
`

/** Longest path a unix socket may have, bytes. Source: unix(7). */
const longestSocketPath = 107

/** Writes the configuration of a first run unless there is one, with the plugin directory it names; answers its path. */
export async function writeSampleConfig(directory: string, disks: string): Promise<string> {
  const path = join(directory, 'hypersdk.yaml')
  await mkdir(join(directory, 'plugins'), { recursive: true })
  // In a very deep directory there is no room for a socket; then TCP alone must do.
  const fits = Buffer.byteLength(join(directory, 'hypervisord.sock')) <= longestSocketPath
  const filled = text.replaceAll('DISKS', JSON.stringify(disks)).replace('SOCKET', fits ? './hypervisord.sock' : 'false')
  try {
    await writeFile(path, filled, { flag: 'wx' })
  } catch (error) {
    if (!(error instanceof Error) || Reflect.get(error, 'code') !== 'EEXIST') throw error
  }
  return path
}
