import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sampleTree } from '../fixtures/sample-tree.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { deviceFacts } from './machine-runs.ts'

test('of a guest’s functions only the ids are read: another device that does not answer holds no start up', () => {
  const tree = MachineTree.open(sampleTree('two-identical-nvidia-grub-initramfs-tools'))
  const read: string[] = []
  const facts = deviceFacts({
    directory: (path) => {
      const directory = tree.directory(path)
      if (directory === undefined) return undefined
      return Object.assign(Object.create(directory) as typeof directory, {
        attribute: (name: string) => {
          read.push(`${path.split('/').at(-1)} ${name}`)
          return directory.attribute(name)
        },
      })
    },
  })
  assert.deepEqual(facts('0000:65:00.0'), { vendor_id: '10de', device_id: '1e84', is_gpu: true })
  assert.equal(facts('0000:65:00.1')?.is_gpu, false)
  assert.equal(facts('0000:99:00.0'), undefined)
  assert.equal(facts('../../../etc'), undefined)
  assert.deepEqual(
    read.filter((one) => !/ (?:vendor|device|class)$/.test(one)),
    [],
  )
})
