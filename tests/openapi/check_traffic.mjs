// Real traffic against the description of the API: every request and answer of a file must be one that it describes.
//
//   node check_traffic.mjs FOLDER-OF-PACKAGES openapi.json traffic.ndjson
//
// Prints {"checked": N, "violations": […], "unseen": [operations that never succeeded]}. Stricter than a client needs to
// be: a field that the description does not name is a violation, too.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, descriptionFile, trafficFile] = process.argv.slice(2);
const require = createRequire(join(folder, 'package.json'));
const Ajv2020 = require('ajv/dist/2020').default;
const addFormats = require('ajv-formats').default;

const description = JSON.parse(readFileSync(descriptionFile, 'utf8'));
const traffic = readFileSync(trafficFile, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));

// Objects that name their fields have no others. Parts of an allOf are closed together.
function close(schema, part = false) {
  if (Array.isArray(schema)) return schema.forEach((item) => close(item));
  if (schema === null || typeof schema !== 'object') return;
  const named = schema.properties !== undefined || schema.allOf !== undefined;
  if (named && !part && schema.additionalProperties === undefined && schema.unevaluatedProperties === undefined) {
    schema.unevaluatedProperties = false;
  }
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'allOf') value.forEach((item) => close(item, true));
    else close(value);
  }
}
close(description.components.schemas);
for (const path of Object.values(description.paths)) {
  for (const operation of Object.values(path)) close(operation.responses);
}

// OpenAPI has words that JSON Schema does not know; the pointers into it stay as they are.
const ajv = new Ajv2020({ strict: false, allErrors: true, coerceTypes: false });
addFormats(ajv);
ajv.addSchema(description, 'api');
const pointer = (parts) => 'api#' + parts.map((part) => '/' + String(part).replaceAll('~', '~0').replaceAll('/', '~1')).join('');

function against(parts, value) {
  const validate = ajv.getSchema(pointer(parts));
  if (!validate) return [`no schema at ${pointer(parts)}`];
  if (validate(value)) return [];
  return validate.errors.map((error) => `${error.instancePath || '/'} ${error.message} ${JSON.stringify(error.params)}`);
}

const operations = new Map();
for (const [path, methods] of Object.entries(description.paths)) {
  for (const [method, operation] of Object.entries(methods)) operations.set(operation.operationId, { path, method, operation });
}

function resolve(object, at) {
  if (!object.$ref) return [object, at];
  const parts = object.$ref.slice(2).split('/');
  return [parts.reduce((value, part) => value[part], description), parts];
}

// As the text in a query means it.
function read(text, schema) {
  if (schema.type === 'integer' && /^-?\d+$/.test(text)) return Number(text);
  if (schema.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return schema.type === 'array' ? text.split(',') : text;
}

function requestFaults({ path, method, operation }, exchange) {
  const faults = [];
  const parameters = operation.parameters ?? [];
  for (const [place, given] of [['path', exchange.path], ['query', exchange.query]]) {
    for (const [name, text] of Object.entries(given)) {
      const index = parameters.findIndex((parameter) => parameter.in === place && parameter.name === name);
      if (index < 0) faults.push(`${place} parameter ${name} is not described`);
      else faults.push(...against(['paths', path, method, 'parameters', index, 'schema'], read(text, parameters[index].schema)));
    }
    for (const parameter of parameters) {
      if (parameter.in === place && parameter.required && !(parameter.name in given)) faults.push(`${place} parameter ${parameter.name} is missing`);
    }
  }
  if (exchange.type) {
    const content = operation.requestBody?.content ?? {};
    const at = ['paths', path, method, 'requestBody', 'content', exchange.type, 'schema'];
    if (!(exchange.type in content)) faults.push(`a body of ${exchange.type} is not described`);
    else faults.push(...against(at, exchange.type === 'application/json' ? JSON.parse(exchange.body) : exchange.body));
  } else if (operation.requestBody?.required) {
    faults.push('the body is missing');
  }
  return faults;
}

function answerFaults({ path, method, operation }, exchange) {
  const key = exchange.status in operation.responses ? String(exchange.status) : 'default';
  if (key === 'default' && exchange.status < 400) return [`the status ${exchange.status} is not described`];
  const [response, at] = resolve(operation.responses[key], ['paths', path, method, 'responses', key]);
  if (!response.content) return exchange.answer === '' ? [] : ['there is a body, and none is described'];
  const type = (exchange.answer_type ?? '').split(';')[0];
  if (!(type in response.content)) return [`an answer of ${type || 'no type'} is not described`];
  const schema = [...at, 'content', type, 'schema'];
  if (type === 'application/x-ndjson') {
    const lines = exchange.answer.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
    return lines.filter((line) => line.event !== 'ping').flatMap((line) => against(schema, line));
  }
  return against(schema, type.endsWith('json') ? JSON.parse(exchange.answer) : exchange.answer);
}

const violations = [];
const succeeded = new Set();
for (const exchange of traffic) {
  const found = operations.get(exchange.operation);
  const faults = found ? [...requestFaults(found, exchange), ...answerFaults(found, exchange)] : ['no such operation'];
  if (exchange.status < 300) succeeded.add(exchange.operation);
  for (const fault of faults) violations.push(`${exchange.operation} ${exchange.status}: ${fault}`);
}
const unseen = [...operations.keys()].filter((operation) => !succeeded.has(operation));
console.log(JSON.stringify({ checked: traffic.length, violations: [...new Set(violations)], unseen }));
