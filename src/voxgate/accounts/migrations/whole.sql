CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE users (
	subject VARCHAR(32) NOT NULL, 
	username VARCHAR(64) NOT NULL, 
	username_key VARCHAR(192) NOT NULL, 
	email VARCHAR(254) NOT NULL, 
	email_key VARCHAR(254) NOT NULL, 
	password_hash VARCHAR(255) NOT NULL, 
	tier VARCHAR(32) NOT NULL, 
	is_active BOOLEAN NOT NULL, 
	version BIGINT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	updated_at_ms BIGINT NOT NULL, limits TEXT DEFAULT '' NOT NULL, roles VARCHAR(200) DEFAULT '' NOT NULL, 
	CONSTRAINT pk_users PRIMARY KEY (subject), 
	CONSTRAINT uq_users_username_key UNIQUE (username_key), 
	CONSTRAINT uq_users_email_key UNIQUE (email_key)
);

CREATE TABLE user_sessions (
	session_id VARCHAR(32) NOT NULL, 
	subject VARCHAR(32) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	expires_at_ms BIGINT NOT NULL, 
	ended_at_ms BIGINT, 
	address VARCHAR(64) NOT NULL, 
	device VARCHAR(200) NOT NULL, generation BIGINT DEFAULT '0' NOT NULL, idle_ends_at_ms BIGINT, last_seen_at_ms BIGINT, 
	CONSTRAINT pk_user_sessions PRIMARY KEY (session_id), 
	CONSTRAINT fk_user_sessions_subject_users FOREIGN KEY(subject) REFERENCES users (subject)
);

CREATE INDEX ix_user_sessions_subject ON user_sessions (subject);

CREATE TABLE api_keys (
	key_id VARCHAR(64) NOT NULL, 
	subject VARCHAR(32) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	digest BLOB NOT NULL, 
	hint VARCHAR(32) NOT NULL, 
	scopes VARCHAR(1000) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	expires_at_ms BIGINT, 
	ended_at_ms BIGINT, successor_id VARCHAR(64), networks TEXT DEFAULT '' NOT NULL, limits TEXT DEFAULT '' NOT NULL, version BIGINT DEFAULT '0' NOT NULL, last_used_at_ms BIGINT, 
	CONSTRAINT pk_api_keys PRIMARY KEY (key_id), 
	CONSTRAINT fk_api_keys_subject_users FOREIGN KEY(subject) REFERENCES users (subject)
);

CREATE INDEX ix_api_keys_subject ON api_keys (subject);

CREATE TABLE job (
	id VARCHAR(32) NOT NULL, 
	owner VARCHAR(64) NOT NULL, 
	state VARCHAR(9) NOT NULL, 
	text TEXT NOT NULL, 
	voice_name VARCHAR(100) NOT NULL, 
	output_format VARCHAR(8) NOT NULL, 
	speed_ratio FLOAT NOT NULL, 
	pitch_semitones FLOAT NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	characters INTEGER NOT NULL, 
	segments_done INTEGER NOT NULL, 
	segments_total INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	fence INTEGER NOT NULL, 
	lease_by VARCHAR(100), 
	lease_until_ms BIGINT NOT NULL, 
	artifact VARCHAR(80), 
	media_type VARCHAR(40), 
	size_bytes BIGINT, 
	duration_s FLOAT, 
	error_code VARCHAR(40), 
	error_detail VARCHAR(500), 
	created_at_ms BIGINT NOT NULL, 
	started_at_ms BIGINT, 
	finished_at_ms BIGINT, 
	expires_at_ms BIGINT NOT NULL, sample_rate_hz INTEGER, language VARCHAR(40), input_format VARCHAR(8), at_once INTEGER, reserved TEXT, idempotency_key VARCHAR(255), 
	CONSTRAINT pk_job PRIMARY KEY (id)
);

CREATE INDEX ix_job_owner ON job (owner, created_at_ms, id);

CREATE INDEX ix_job_fingerprint ON job (fingerprint, state);

CREATE INDEX ix_job_expiry ON job (expires_at_ms);

CREATE TABLE tiers (
	name VARCHAR(32) NOT NULL, 
	limits TEXT NOT NULL, 
	updated_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_tiers PRIMARY KEY (name)
);

CREATE INDEX ix_users_tier ON users (tier);

CREATE TABLE security_events (
	id INTEGER NOT NULL, 
	at_ms BIGINT NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	who VARCHAR(254), 
	fields TEXT NOT NULL, 
	CONSTRAINT pk_security_events PRIMARY KEY (id)
);

CREATE INDEX ix_security_events_at_ms ON security_events (at_ms);

CREATE INDEX ix_security_events_name ON security_events (name);

CREATE INDEX ix_security_events_who ON security_events (who);

CREATE INDEX ix_job_turn ON job (owner, started_at_ms);

CREATE INDEX ix_job_reserved ON job (state) WHERE reserved IS NOT NULL;

CREATE INDEX ix_job_key ON job (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE INDEX ix_job_claim ON job (state, owner, attempts, created_at_ms, id, lease_until_ms, at_once, fingerprint);

CREATE INDEX ix_job_lease ON job (state, lease_until_ms, attempts);

INSERT INTO alembic_version VALUES ('0010')
