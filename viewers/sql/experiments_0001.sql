-- What is compared stays as it is while it is compared: once an experiment was asked for, its arms, shares,
-- salt and slice are what was agreed to, whoever tries to change them. Only its end is written then.

-- Waits for whoever is starting it, so that nothing changes between the look and the start.
CREATE FUNCTION viewers_refuse_unless_draft(p_experiment uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
BEGIN
    SELECT state INTO v_state FROM viewers_experiment WHERE id = p_experiment FOR SHARE;
    IF v_state <> 'draft' THEN
        RAISE 'experiment % is not a draft any more', p_experiment
            USING ERRCODE = 'check_violation';
    END IF;
END $$;

CREATE FUNCTION viewers_keep_experiment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_may text[] := CASE OLD.state
        WHEN 'waiting' THEN ARRAY[
            'state', 'starts_at', 'agreed_by_id', 'agreed_at', 'global_holdout_parts_per_million']
        WHEN 'running' THEN ARRAY['state', 'ended_at', 'ended_by_id']
        ELSE ARRAY[]::text[] END;
    v_then text[] := CASE OLD.state
        WHEN 'waiting' THEN ARRAY['waiting', 'draft', 'running']
        WHEN 'running' THEN ARRAY['running', 'ended']
        ELSE ARRAY['ended'] END;
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' OR NEW.state <> ALL (v_then)
            OR to_jsonb(NEW) - v_may <> to_jsonb(OLD) - v_may THEN
        RAISE 'experiment % is not a draft any more', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER viewers_keep_experiment BEFORE UPDATE OR DELETE ON viewers_experiment
FOR EACH ROW EXECUTE FUNCTION viewers_keep_experiment();

CREATE FUNCTION viewers_keep_arm() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM viewers_refuse_unless_draft(OLD.experiment_id);
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    PERFORM viewers_refuse_unless_draft(NEW.experiment_id);
    RETURN NEW;
END $$;

CREATE TRIGGER viewers_keep_arm BEFORE INSERT OR UPDATE OR DELETE ON viewers_arm
FOR EACH ROW EXECUTE FUNCTION viewers_keep_arm();

-- Another salt or another holdout would move viewers under the experiments that run.
CREATE FUNCTION viewers_keep_layer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.salt, NEW.holdout_parts_per_million) <> (OLD.salt, OLD.holdout_parts_per_million)
            AND EXISTS (SELECT FROM viewers_experiment
                        WHERE layer_id = OLD.id AND state <> 'draft') THEN
        RAISE 'layer % has experiments that are no drafts', OLD.code
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER viewers_keep_layer BEFORE UPDATE ON viewers_layer
FOR EACH ROW EXECUTE FUNCTION viewers_keep_layer();
