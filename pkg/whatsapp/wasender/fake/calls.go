package fake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// statuses are the numbers of what became of a message.
var statuses = map[string]int{"error": 0, "in_progress": 1, "sent": 2, "delivered": 3, "read": 4, "played": 5}

// account answers the calls about sessions: /whatsapp-sessions/{id}/{action}.
func (s *Server) account(method, path string, body []byte) Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) == 1 {
		list := []any{}
		for _, session := range s.sessions {
			list = append(list, session.object(false))
		}
		return good(list)
	}
	session := s.session(number(parts[1]))
	if session == nil {
		return Refusal(http.StatusNotFound, "Session not found.", nil)
	}
	action := method
	if len(parts) > 2 {
		action += " " + parts[2]
	}
	switch action {
	case "GET":
		return good(session.object(true))
	case "POST connect":
		return session.connect(body)
	case "GET qrcode":
		return good(map[string]any{"qrCode": session.qr()})
	case "POST restart":
		if !strings.EqualFold(session.Status, "connected") {
			return Refusal(http.StatusBadRequest, "Session is not connected.", nil)
		}
		return good(map[string]any{"message": "Session restarted."})
	case "POST disconnect":
		session.Status = "disconnected"
		return good(map[string]any{"status": "DISCONNECTED"})
	case "GET message-logs":
		return good(map[string]any{"current_page": 1, "last_page": 1, "data": s.logs(session.ID)})
	}
	return Refusal(http.StatusNotFound, "Not found.", nil)
}

func (x *Session) object(secrets bool) map[string]any {
	object := map[string]any{"id": x.ID, "name": x.Name, "phone_number": "+" + x.Phone, "status": x.Status}
	if secrets {
		object["api_key"], object["webhook_secret"] = x.APIKey, x.WebhookSecret
	}
	return object
}

func (x *Session) qr() string {
	return "2@" + strings.Repeat("q", 40) + "," + strconv.FormatInt(x.ID, 10)
}

// connect answers in upper case, as only this call does.
func (x *Session) connect(body []byte) Answer {
	var q struct {
		LinkMethod string `json:"linkMethod"`
	}
	if json.Unmarshal(body, &q) != nil {
		return Answer{Status: http.StatusBadRequest, Body: encode(map[string]any{"success": false, "error": "linkMethod is invalid"})}
	}
	switch {
	case x.Linked && !strings.EqualFold(x.Status, "connected"):
		x.Status = "connected"
		return good(map[string]any{"status": "CONNECTED", "message": "Session connected."})
	case strings.EqualFold(x.Status, "connected"):
		return good(map[string]any{"status": "CONNECTED", "message": "Session is already connected."})
	case q.LinkMethod == "passkey":
		x.Status = "need_passkey"
		passkey := map[string]any{"token": "pk-" + x.APIKey[:4], "expires_at": "2026-11-22T10:00:00Z"}
		return good(map[string]any{"status": "NEED_PASSKEY", "passkey": passkey})
	}
	x.Status = "need_scan"
	return good(map[string]any{"status": "NEED_SCAN", "qrCode": x.qr()})
}

// logs are newest first.
func (s *Server) logs(session int64) []any {
	list := []any{}
	for msgID := firstMsgID + int64(len(s.messages)) - 1; msgID >= firstMsgID; msgID-- {
		m := s.messages[msgID]
		if m.session != session {
			continue
		}
		list = append(list, map[string]any{
			"id": strconv.FormatInt(msgID, 10), "whatsapp_session_id": session, "to": m.send.To, "content": string(m.send.Body),
			"status": m.status, "created_at": m.at.UTC().Format(time.DateTime),
		})
	}
	return list
}

// other answers the calls with a session's key that send nothing.
func (s *Server) other(r *http.Request, path string, session int64, body []byte) Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "/status":
		return Answer{Body: encode(map[string]any{"status": s.session(session).Status})}
	case path == "/upload":
		return Answer{Body: encode(map[string]any{"success": true, "publicUrl": "https://files.example/" + strconv.Itoa(len(body))})}
	case path == "/decrypt-media":
		return decrypted(r, body)
	case path == "/messages/read":
		return good(nil)
	case len(parts) == 3 && parts[0] == "messages":
		return s.message(r.Method+" "+parts[2], number(parts[1]), session)
	case len(parts) == 2 && parts[0] == "pn-from-lid":
		if phone := s.Phones[parts[1]]; phone != "" {
			return good(map[string]any{"lid": parts[1], "pn": phone + "@s.whatsapp.net"})
		}
	}
	return Refusal(http.StatusNotFound, "Not found.", nil)
}

// message answers questions after one message. WhatsApp's id is not known at once.
func (s *Server) message(action string, msgID, session int64) Answer {
	m := s.messages[msgID]
	if m == nil || m.session != session {
		return Refusal(http.StatusNotFound, "Message not found.", nil)
	}
	switch action {
	case "GET info":
		if m.asked++; m.asked <= s.JoinAfter {
			return good(map[string]any{"msgId": msgID, "status": m.status})
		}
		if m.status == "in_progress" {
			m.status = "sent"
		}
		return good(map[string]any{"remoteJid": strings.TrimPrefix(m.send.To, "+") + "@s.whatsapp.net", "id": m.id, "msgId": msgID, "status": statuses[m.status]})
	case "POST resend":
		m.status = "in_progress"
		return good(map[string]any{"msgId": msgID})
	}
	return Refusal(http.StatusNotFound, "Not found.", nil)
}

// decrypted is the answer for a message with a file.
func decrypted(r *http.Request, body []byte) Answer {
	var q struct {
		Data struct {
			Messages struct {
				Key     struct{ ID string } `json:"key"`
				Message map[string]json.RawMessage
			} `json:"messages"`
		} `json:"data"`
	}
	files := []string{"imageMessage", "videoMessage", "audioMessage", "documentMessage", "stickerMessage"}
	if json.Unmarshal(body, &q) == nil {
		for name := range q.Data.Messages.Message {
			if slices.Contains(files, name) {
				return Answer{Body: encode(map[string]any{"publicUrl": "http://" + r.Host + strings.TrimSuffix(r.URL.Path, "/decrypt-media") + filesPath + q.Data.Messages.Key.ID})}
			}
		}
	}
	return Refusal(http.StatusUnprocessableEntity, "No media.", nil)
}
