// Asks a server by gRPC with nothing of Python's: node query.mjs DESCRIPTOR_SET HOST:PORT < questions.json
//
// Questions are [[service, method, request], ...]; the answers are printed as a JSON list of {answer} or {code, details}.
// Maps are lists of {key, value}: that is what a descriptor set says they are. SignatureDefs in an answer's metadata are
// unpacked.

import { readFileSync } from 'node:fs';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const [descriptorSet, address] = process.argv.slice(2);
const definitions = protoLoader.loadFileDescriptorSetFromBuffer(readFileSync(descriptorSet), {
  keepCase: true, // names as in the .proto files
  longs: String,
  enums: String,
  bytes: String,
});
const { serving } = grpc.loadPackageDefinition(definitions).tensorflow;
const unpack = definitions['tensorflow.serving.SignatureDefMap'].deserialize;

function ask(client, method, request) {
  const deadline = new Date(Date.now() + 30_000);
  return new Promise((resolve) => {
    client[method](request, { deadline }, (error, answer) => {
      if (error) {
        resolve({ code: grpc.status[error.code], details: error.details });
        return;
      }
      for (const { value: any } of answer.metadata ?? []) {
        any.value = unpack(Buffer.from(any.value, 'base64'));
      }
      resolve({ answer });
    });
  });
}

const clients = {};
const answers = [];
for (const [service, method, request] of JSON.parse(readFileSync(0, 'utf8'))) {
  clients[service] ??= new serving[service](address, grpc.credentials.createInsecure());
  answers.push(await ask(clients[service], method, request));
}
Object.values(clients).forEach((client) => client.close());
console.log(JSON.stringify(answers));
