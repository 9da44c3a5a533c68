-- reachable.sql - everything that somebody needs. The collector removes the content and the snapshots that are not in it.
--
-- The roots are: the targets of images, the snapshots of containers, what leases hold that have not expired, and
-- what bears the label containerd.io/gc.root. From there the edges lead on: labels containerd.io/gc.ref.content
-- (.anything) and containerd.io/gc.ref.snapshot.<snapshotter> name what their object needs, and a snapshot needs
-- its parent. type: content, or snapshots/<snapshotter>. A lease with the label containerd.io/gc.flat holds what
-- it names, and nothing beyond.

CREATE TEMP VIEW IF NOT EXISTS live_leases AS
  SELECT namespace, id FROM main.leases AS l WHERE NOT EXISTS (
    SELECT 1 FROM main.labels AS e WHERE e.namespace = l.namespace AND e.kind = 'leases' AND e.object = l.id
      AND e.name = 'containerd.io/gc.expire' AND julianday(e.value) <= julianday('now'));

-- A label as an edge: what its object (from_type, from_id) needs.
CREATE TEMP VIEW IF NOT EXISTS edges AS
  SELECT namespace, kind AS from_type, object AS from_id, 'content' AS type, value AS id FROM main.labels
    WHERE name = 'containerd.io/gc.ref.content' OR name LIKE 'containerd.io/gc.ref.content.%'
  UNION ALL
  SELECT namespace, kind, object,
      -- after "containerd.io/gc.ref.snapshot." stands the snapshotter, perhaps "/" and something more
      'snapshots/' || substr(name, 31, CASE instr(substr(name, 31), '/') WHEN 0 THEN 1000 ELSE instr(substr(name, 31), '/') - 1 END),
      value FROM main.labels
    WHERE name LIKE 'containerd.io/gc.ref.snapshot.%'
  UNION ALL
  SELECT namespace, 'snapshots/' || snapshotter, name, 'snapshots/' || snapshotter, parent FROM main.snapshots
    WHERE parent <> '';

CREATE TEMP VIEW IF NOT EXISTS roots AS
  SELECT namespace, 'content' AS type, digest AS id FROM main.images
  UNION SELECT namespace, 'snapshots/' || snapshotter, snapshot_key FROM main.containers WHERE snapshot_key <> ''
  UNION SELECT namespace, type, id FROM edges WHERE from_type IN ('images', 'containers', 'leases')
    AND (from_type <> 'leases' OR (namespace, from_id) IN live_leases)
  UNION SELECT namespace, kind, object FROM main.labels
    WHERE name = 'containerd.io/gc.root' AND (kind = 'content' OR kind LIKE 'snapshots/%')
  UNION SELECT r.namespace, r.type, r.id FROM main.lease_resources AS r
    WHERE (r.namespace, r.lease) IN live_leases AND NOT EXISTS (
      SELECT 1 FROM main.labels AS f WHERE f.namespace = r.namespace AND f.kind = 'leases' AND f.object = r.lease
        AND f.name = 'containerd.io/gc.flat');

CREATE TEMP VIEW IF NOT EXISTS reachable AS
  WITH RECURSIVE found(namespace, type, id) AS (
    SELECT namespace, type, id FROM roots
    UNION
    SELECT e.namespace, e.type, e.id FROM found AS f JOIN edges AS e
      ON e.namespace = f.namespace AND e.from_type = f.type AND e.from_id = f.id)
  SELECT namespace, type, id FROM found
  UNION SELECT namespace, type, id FROM main.lease_resources WHERE (namespace, lease) IN live_leases;
