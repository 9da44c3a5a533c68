-- schema.sql - what containerd remembers. One file, ROOT/metadata.db; look at it with: sqlite3 ROOT/metadata.db
--
-- Everything belongs to a namespace: two clients (Docker's is "moby") never see each other's images or
-- containers. Times are nanoseconds since 1970. Bytes are not here: blobs lie in ROOT/content, snapshots'
-- files in ROOT/snapshots; a row is written after the files that it names, and removed before them.

CREATE TABLE IF NOT EXISTS namespaces (
  name TEXT PRIMARY KEY
) WITHOUT ROWID;

-- Labels of everything that can have them. Those that begin with containerd.io/gc. steer the
-- collection of what nobody needs (see reachable.sql). kind: the name of the object's table.
CREATE TABLE IF NOT EXISTS labels (
  namespace TEXT, kind TEXT, object TEXT, name TEXT, value TEXT NOT NULL,
  PRIMARY KEY (namespace, kind, object, name)
) WITHOUT ROWID;

-- A name for a piece of content, usually an OCI index or manifest.
CREATE TABLE IF NOT EXISTS images (
  namespace TEXT, name TEXT,
  media_type TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  PRIMARY KEY (namespace, name)
) WITHOUT ROWID;

-- What is to be run. A running one is a task, and those live in their shims, not here.
CREATE TABLE IF NOT EXISTS containers (
  namespace TEXT, id TEXT,
  image TEXT NOT NULL, snapshotter TEXT NOT NULL, snapshot_key TEXT NOT NULL,
  runtime TEXT NOT NULL, options_type TEXT, options BLOB, -- of the runtime
  spec_type TEXT, spec BLOB,                              -- OCI's config.json
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  PRIMARY KEY (namespace, id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS container_extensions (
  namespace TEXT, container TEXT, name TEXT, type TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (namespace, container, name)
) WITHOUT ROWID;

-- Whose blobs are whose. The bytes are in ROOT/content/blobs/sha256 once, however many namespaces have them.
CREATE TABLE IF NOT EXISTS content (
  namespace TEXT, digest TEXT,
  size INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  PRIMARY KEY (namespace, digest)
) WITHOUT ROWID;

-- Blobs on their way in: ROOT/content/ingest/<file>. Its length is how far it has come.
CREATE TABLE IF NOT EXISTS ingests (
  namespace TEXT, ref TEXT,
  file TEXT NOT NULL UNIQUE, total INTEGER NOT NULL, expected TEXT NOT NULL, lease TEXT NOT NULL,
  started_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  PRIMARY KEY (namespace, ref)
) WITHOUT ROWID;

-- Layers of file systems: ROOT/snapshots/<snapshotter>/<id>/fs. kind: 1 view, 2 active, 3 committed.
CREATE TABLE IF NOT EXISTS snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace TEXT NOT NULL, snapshotter TEXT NOT NULL, name TEXT NOT NULL,
  parent TEXT NOT NULL, kind INTEGER NOT NULL,
  size INTEGER NOT NULL, inodes INTEGER NOT NULL, -- of committed ones
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  UNIQUE (namespace, snapshotter, name)
);

-- A client's hold on things that nothing names yet, while it works.
CREATE TABLE IF NOT EXISTS leases (
  namespace TEXT, id TEXT, created_at INTEGER NOT NULL,
  PRIMARY KEY (namespace, id)
) WITHOUT ROWID;

-- type: content, ingests or snapshots/<snapshotter>
CREATE TABLE IF NOT EXISTS lease_resources (
  namespace TEXT, lease TEXT, type TEXT, id TEXT,
  PRIMARY KEY (namespace, lease, type, id)
) WITHOUT ROWID;
