// An independent Firestore emulator on this machine alone: node firestore.js PORT, with NODE_PATH where its package is.
const { FirestoreServer } = require("@firestore-emulator/server");
const { ServerCredentials } = require("@grpc/grpc-js");

const { server } = new FirestoreServer();
server.bindAsync(`127.0.0.1:${process.argv[2]}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log("ready");
});
