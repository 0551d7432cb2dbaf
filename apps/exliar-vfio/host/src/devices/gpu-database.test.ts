import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundledGpuDatabase, GpuDatabase, gpuVendor, knownModel } from './gpu-database.ts'

const database = bundledGpuDatabase()

function model(id: string) {
  const found = knownModel(database, { vendor_id: id.slice(0, 4), device_id: id.slice(5) })
  assert.ok(found, id)
  return found
}

test('every model has its vendor’s id and a family that is there', () => {
  for (const [name, { vendor_id: vendor, families, models }] of Object.entries(database.vendors)) {
    for (const [id, { family }] of Object.entries(models)) {
      assert.ok(id.startsWith(`${vendor}:`), `${name} ${id}`)
      assert.ok(family in families, `${name} ${id} ${family}`)
    }
  }
})

test('a form that is not the database’s is refused', () => {
  const wrong = structuredClone(database)
  assert.equal(GpuDatabase.safeParse({ ...wrong, vendors: { ...wrong.vendors, matrox: wrong.vendors.amd } }).success, false)
  assert.equal(
    GpuDatabase.safeParse({ vendors: { amd: { vendor_id: '1002', families: {}, models: { '731f': {} } } } }).success,
    false,
  )
})

test('what resets badly is known by its id, and most do not (E1)', () => {
  assert.equal(model('1002:731f').resetBug, true)
  assert.equal(model('1002:67df').resetBug, true)
  assert.equal(model('1002:687f').resetBug, true)
  assert.equal(model('1002:747e').resetBug, true)
  assert.equal(model('1002:73bf').resetBug, false)
  assert.equal(model('1002:73ff').resetBug, true)
  assert.equal(model('10de:1e84').resetBug, false)
  assert.equal(model('8086:56a0').resetBug, false)
  assert.deepEqual(model('1002:731f').quirks, ['vendor-reset'])
  assert.deepEqual(model('1002:747e').quirks, [])
})

test('code 43 is of desktop cards before Ada, not of professional ones', () => {
  assert.equal(model('10de:1b80').code43, true)
  assert.equal(model('10de:2484').code43, true)
  assert.equal(model('10de:1c30').code43, false)
  assert.equal(model('10de:2684').code43, false)
  assert.deepEqual(model('10de:1b80').recommendedVmConfig, {
    kvm_hidden: true,
    hypervisor_hidden: true,
    hyperv_vendor_id: '123456789ab',
  })
  assert.deepEqual(model('10de:2684').recommendedVmConfig, {})
})

test('GVT-g is of Broadwell to Comet Lake', () => {
  assert.equal(model('8086:1616').supportsGvt, true)
  assert.equal(model('8086:9bc5').supportsGvt, true)
  assert.equal(model('8086:8a52').supportsGvt, false)
  assert.equal(model('8086:4680').supportsGvt, false)
  assert.equal(model('8086:56a0').supportsGvt, false)
})

test('a model is not another vendor’s with the same digits', () => {
  assert.equal(knownModel(database, { vendor_id: '1002', device_id: '1e84' }), undefined)
  assert.equal(knownModel(database, { vendor_id: '1a03', device_id: '2000' }), undefined)
  assert.deepEqual(
    ['10de', '1002', '8086', '1a03'].map((id) => gpuVendor(database, id)),
    ['nvidia', 'amd', 'intel', 'other'],
  )
})
