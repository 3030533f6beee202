package mqtt

import (
	"encoding/json"
	"strings"
)

// discoveryPrefix is Home Assistant's default.
const discoveryPrefix = "homeassistant/"

// discovery returns the retained messages that announce the gateway to Home Assistant, by topic.
// They are longer than a node's buffer; nodes don't subscribe to them.
func discovery(t topics, gateway string) (map[string][]byte, error) {
	type device struct {
		IDs   []string `json:"ids"`
		Name  string   `json:"name"`
		Model string   `json:"mdl"`
	}
	type entity struct {
		Name        string `json:"name"`
		ID          string `json:"uniq_id"`
		State       string `json:"stat_t"`
		Template    string `json:"val_tpl"`
		Unit        string `json:"unit_of_meas,omitempty"`
		Class       string `json:"dev_cla,omitempty"`
		Category    string `json:"ent_cat"`
		On          string `json:"pl_on,omitempty"`
		Off         string `json:"pl_off,omitempty"`
		Available   string `json:"avty_t"`
		ExpireAfter int    `json:"exp_aft,omitempty"` // seconds
		Device      device `json:"dev"`
	}
	id := "ntsgw_" + gateway
	if site := strings.Trim(strings.TrimSuffix(t.prefix, "ntsgw/"+gateway+"/"), "/"); site != "" {
		id = site + "_" + id
	}
	base := entity{
		State: t.state, Available: t.status, Category: "diagnostic",
		ExpireAfter: int(3 * stateRefresh.Seconds()),
		Device:      device{IDs: []string{id}, Name: "ntsgw " + gateway, Model: "Authenticated time"},
	}
	synchronized, maxError, state := base, base, base
	synchronized.Name, synchronized.ID = "Synchronized", id+"_synchronized"
	synchronized.Template = "{{ 'ON' if value_json.state == 'synchronized' else 'OFF' }}"
	synchronized.On, synchronized.Off = "ON", "OFF"
	maxError.Name, maxError.ID = "Maximum error", id+"_max_error"
	maxError.Template, maxError.Unit, maxError.Class = "{{ value_json.max_error_seconds }}", "s", "duration"
	state.Name, state.ID, state.Template = "State", id+"_state", "{{ value_json.state }}"

	out := make(map[string][]byte)
	for topic, e := range map[string]entity{
		"binary_sensor/" + id + "/synchronized/config": synchronized,
		"sensor/" + id + "/max_error/config":           maxError,
		"sensor/" + id + "/state/config":               state,
	} {
		b, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		out[discoveryPrefix+topic] = b
	}
	return out, nil
}
